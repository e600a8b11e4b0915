"""K19: sandboxd dies while people work. Nothing of a sandbox survives it, and it knows afterwards what was lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.content.exercise import Exercise
from app.errors import Unavailable
from app.sandbox.model import Purpose
from tests.chaos.staying import write_staying_exercise
from tests.daemon import SandboxdProcess
from tests.desk import new_id
from tests.pods import alive, processes_below
from tests.product import eventually


@pytest.fixture
def exercise(tmp_path: Path) -> Exercise:
    """One whose services run until they are ended."""
    return write_staying_exercise(tmp_path / "exercises", check_seconds=60)


@pytest.fixture
def daemon(tmp_path: Path, exercise: Exercise) -> Iterator[SandboxdProcess]:
    with SandboxdProcess(tmp_path / "home", tmp_path / "exercises") as found:
        eventually("the images are ready", lambda: found.client.images().all_ready, within=240, every=0.5)
        yield found


def launch(daemon: SandboxdProcess, exercise: Exercise, count: int = 2) -> list[str]:
    ids = [new_id() for _ in range(count)]
    for sandbox_id in ids:
        daemon.client.launch(
            sandbox_id, exercise_id="echo", content_hash=exercise.content_hash, purpose=Purpose.PRACTICE, owner=sandbox_id,
            files={},
        )  # fmt: skip
    for sandbox_id in ids:
        eventually("it is ready", lambda s=sandbox_id: daemon.client.status(s, timeout=5).state == "ready", within=30)
    return ids


@pytest.mark.engine("embedded")
def test_kill_9_leaves_no_pod_and_the_restart_tells_what_was_lost(
    tmp_path: Path, daemon: SandboxdProcess, exercise: Exercise
) -> None:
    # Given two sandboxes, and a run of the checks in one of them
    ids = launch(daemon, exercise)
    events = daemon.client.run(ids[0], seed=1, timeout=60)
    while not next(events).check_started:
        pass
    below = processes_below(daemon.process.pid)
    assert len(below) > 8, "the pods and the prober are below the daemon"
    # When it is killed
    daemon.process.kill()
    killed = time.monotonic()
    # Then nothing of them is left within a second
    eventually("all processes have ended", lambda: not alive(below), within=5, every=0.01)
    assert time.monotonic() - killed < 1.5
    with pytest.raises(Unavailable):
        list(events)
    daemon.process.wait(5)
    # And the next one tells what was lost, and runs on
    with SandboxdProcess(tmp_path / "home", tmp_path / "exercises") as again:
        told = {s.id: (s.state, s.reason) for s in again.client.list(gone_too=True).sandboxes}
        assert told == dict.fromkeys(ids, ("gone", "lost"))
        launch(again, exercise, 1)


@pytest.mark.engine("embedded")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_polite_signal_ends_all_pods_in_time(daemon: SandboxdProcess, exercise: Exercise, number: int) -> None:
    ids = launch(daemon, exercise)
    below = processes_below(daemon.process.pid)
    began = time.monotonic()
    assert daemon.end(number) == 0, daemon.output
    assert time.monotonic() - began < 10
    assert not alive(below)
    for sandbox_id in ids:
        assert '"shutdown"' in (daemon.home / "sandboxd" / "journal" / f"{sandbox_id}.json").read_text()


@pytest.mark.engine("embedded")
def test_when_the_engine_dies_the_daemon_ends_so_that_a_new_one_can_start(daemon: SandboxdProcess, exercise: Exercise) -> None:
    # Given a running sandbox, whose spawner is killed
    ids = launch(daemon, exercise, 1)
    spawner = min(pid for pid, _ in processes_below(daemon.process.pid))
    os.kill(spawner, signal.SIGKILL)
    # Then the sandbox is gone, and says why
    gone = eventually("it is gone", lambda: _gone(daemon, ids[0]), within=5)
    assert gone.reason == "failed"
    # And with the next launch the daemon sees that it needs a new engine, which only a new process can have
    daemon.client.launch(
        new_id(), exercise_id="echo", content_hash=exercise.content_hash, purpose=Purpose.PRACTICE, owner="o", files={}
    )  # fmt: skip
    assert daemon.process.wait(12) == 2


def _gone(daemon: SandboxdProcess, sandbox_id: str) -> object:
    found = daemon.client.status(sandbox_id, timeout=5)
    return found if found.state == "gone" else None
