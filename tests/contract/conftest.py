"""Fixtures of this suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import database, database_url, postgres_url
from tests.desk import Desk, desk
from tests.pods import anyio_backend, embedded, engine, home, ready_store, spawner, store
from tests.school import school

__all__ = [
    "anyio_backend", "database", "database_url", "embedded", "engine", "home", "postgres_url", "ready_store", "school",
    "spawner", "store",
]  # fmt: skip


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Desk]:
    with desk(tmp_path) as found:
        yield found
