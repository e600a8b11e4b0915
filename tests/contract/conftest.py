"""Fixtures of this suite."""

from tests.pods import anyio_backend, embedded, engine, home, ready_store, spawner, store

__all__ = ["anyio_backend", "embedded", "engine", "home", "ready_store", "spawner", "store"]
