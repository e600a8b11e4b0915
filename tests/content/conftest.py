"""Fixtures of this suite."""

from tests.pods import anyio_backend, embedded, home, spawner

__all__ = ["anyio_backend", "embedded", "home", "spawner", "store"]

import pytest

from app.sandbox.images.store import ImageStore
from tests.pods import images


@pytest.fixture(scope="session")
async def store(anyio_backend: str) -> ImageStore:
    """The images that lessons need: Python for their code, RabbitMQ for blocks marked `broker`."""
    store = images()
    await store.prepare(["agent", "python", "prober", "rabbitmq"])
    return store
