"""Fixtures of this suite."""

from collections.abc import Iterator

import pytest

from tests.tap_process import Server, TapProcess


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def tap(server: Server) -> Iterator[TapProcess]:
    with TapProcess("http", server.port) as tap:
        yield tap


@pytest.fixture
def broker(server: Server) -> Iterator[TapProcess]:
    with TapProcess("amqp", server.port) as tap:
        yield tap
