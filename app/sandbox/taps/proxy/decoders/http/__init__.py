"""HTTP/1.1."""

from .decoder import KINDS, Http, cannot

__all__ = ["KINDS", "Http", "cannot"]
