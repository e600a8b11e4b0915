"""Fixtures of this suite."""

from tests.databases import database, database_url, postgres_url
from tests.pods import anyio_backend, embedded, engine, home, ready_store, spawner, store

__all__ = [
    "anyio_backend",
    "database",
    "database_url",
    "embedded",
    "engine",
    "home",
    "postgres_url",
    "ready_store",
    "spawner",
    "store",
]
