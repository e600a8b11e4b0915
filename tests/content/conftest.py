"""Fixtures of this suite."""

from tests.pods import anyio_backend, embedded, home, spawner

__all__ = ["anyio_backend", "embedded", "home", "spawner", "store"]

import pytest

from app.sandbox.images.store import ImageStore
from tests.pods import images


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what of the proofs was not tried in this run."""
    from tests.content.test_exercises import SAMPLE

    terminalreporter.section("sample of the proofs")
    for line in (f"{len(SAMPLE.chosen)} solutions, about {SAMPLE.seconds:.0f} s of sandboxes", *SAMPLE.words()):
        terminalreporter.line(line)


@pytest.fixture(scope="session")
async def store(anyio_backend: str) -> ImageStore:
    """The images that lessons need: Python for their code, a broker and a database for blocks marked so."""
    store = images()
    await store.prepare(["agent", "postgres", "prober", "python", "rabbitmq"])
    return store
