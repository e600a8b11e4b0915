"""Fixtures of this suite: what is tried, and what must be true after every single attack."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine, SpawnerHandle
from app.sandbox.images.store import ImageStore
from tests.attacks.aftermath import Canary, Traces, assert_ready, still_launches
from tests.attacks.corpus import ATTACKS
from tests.attacks.range import Range, shooting_range
from tests.pods import anyio_backend, home, spawner, store, tap_image

__all__ = ["anyio_backend", "home", "spawner", "store", "tap_image"]

#: Where a run as another account writes how each attack ended, for the run that started it.
OUTCOMES = "SOTY_ATTACKS_OUTCOMES"
_ended: dict[str, Counter[str]] = defaultdict(Counter)  #: id -> how its tests ended
_elsewhere: dict[str, Counter[str]] = {}  #: the same, as an ordinary user


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    ids = dict(report.user_properties).get("attacks")
    if not ids or (report.when != "call" and report.outcome == "passed"):
        return
    for one in str(ids).split():
        _ended[one][report.outcome] += 1


def pytest_sessionfinish() -> None:
    if path := os.environ.get(OUTCOMES):
        Path(path).write_text(json.dumps(_ended))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _ended or os.environ.get(OUTCOMES):
        return
    here = "root" if os.geteuid() == 0 else "ordinary user"
    terminalreporter.section("attacks")
    for one, about in ATTACKS.items():
        columns = [f"{here}: {_told(_ended[one])}"]
        columns += [f"ordinary user: {_told(_elsewhere[one])}"] if one in _elsewhere else []
        terminalreporter.write_line(f"{one}  {about:<62} {'   '.join(columns)}")


def _told(ended: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(ended.items())) or "not tried"


@pytest.fixture(scope="session")
def elsewhere() -> dict[str, Counter[str]]:
    """What the run as an ordinary user came to; for the table at the end."""
    return _elsewhere


@pytest.fixture(scope="module")
async def embedded(home: Path, store: ImageStore, spawner: SpawnerHandle, anyio_backend: str) -> AsyncIterator[EmbeddedEngine]:
    """An engine that has already run something, so that what the first launch makes is not taken for a leftover."""
    engine = EmbeddedEngine(home, store, spawner)
    await still_launches(engine)
    yield engine
    await engine.close()


@pytest.fixture(scope="session")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Canary:
    """A file of the host that attacks aim at."""
    return Canary.planted(tmp_path_factory.mktemp("host"))


@pytest.fixture(autouse=True)
async def unharmed(
    request: pytest.FixtureRequest, record_property: object, canary: Canary, anyio_backend: str
) -> AsyncIterator[None]:
    """After each attack the host is as it was, the platform works, and nothing is left over."""
    marker = request.node.get_closest_marker("attack")
    if marker and callable(record_property):
        record_property("attacks", " ".join(marker.args[0]))
    used = {name: request.getfixturevalue(name) for name in ("embedded", "grader", "soty") if name in request.fixturenames}
    traces = Traces.of(canary.top)
    yield
    canary.assert_unchanged()
    if "embedded" in used:
        await still_launches(used["embedded"])
    if "grader" in used:
        used["grader"].assert_launches()
    if "soty" in used:
        assert_ready(used["soty"].url)
    await traces.assert_nothing_new()


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory, store: ImageStore) -> Iterator[Range]:
    """A private grader with an exercise of its own."""
    with shooting_range(tmp_path_factory.mktemp("range")) as found:
        yield found
