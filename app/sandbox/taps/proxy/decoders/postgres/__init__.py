"""PostgreSQL, protocol 3."""

from .decoder import KINDS, Postgres, cannot

__all__ = ["KINDS", "Postgres", "cannot"]
