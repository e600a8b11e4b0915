"""sandboxd and live as processes: one owner, clean starts and ends, and what they never load."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.sandbox.model import Purpose
from tests.daemon import SandboxdProcess
from tests.desk import new_id, write_exercise
from tests.product import TOP, eventually


def test_a_second_one_says_who_is_there_and_ends(tmp_path: Path) -> None:
    with SandboxdProcess(tmp_path, tmp_path / "exercises", "fake") as first:
        second = SandboxdProcess(tmp_path, tmp_path / "exercises", "fake")
        second.start()
        assert second.process.wait(10) == 2
        assert f"process {first.process.pid}" in second.output
        # And the first one is not disturbed
        assert first.client.list() is not None
    # When it is gone, the place is free
    with SandboxdProcess(tmp_path, tmp_path / "exercises", "fake") as third:
        assert third.client.list() is not None


def test_it_ends_in_time_with_sandboxes_and_a_watcher(tmp_path: Path) -> None:
    exercise = write_exercise(tmp_path / "exercises")
    with SandboxdProcess(tmp_path, tmp_path / "exercises", "fake") as daemon:
        sandbox_id = new_id()
        daemon.client.launch(
            sandbox_id, exercise_id="echo", content_hash=exercise.content_hash, purpose=Purpose.GRADING, owner="o", files={}
        )  # fmt: skip
        eventually("ready", lambda: daemon.client.status(sandbox_id).state == "ready", within=5)
        began = time.monotonic()
        assert daemon.end() == 0
        assert time.monotonic() - began < 10
    assert '"shutdown"' in (tmp_path / "sandboxd" / "journal" / f"{sandbox_id}.json").read_text()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"SOTY_TESTING": "0"}, "SOTY_ENGINE"),
        ({"SOTY_ENGINE": "docker"}, "SOTY_ENGINE=docker"),
        ({"SOTY_PORT": "x"}, "SOTY_PORT"),
    ],
)
def test_what_it_cannot_run_with_is_said_in_a_line(tmp_path: Path, settings: dict[str, str], word: str) -> None:
    daemon = SandboxdProcess(tmp_path, tmp_path / "exercises", "fake", **settings)
    daemon.start()
    assert daemon.process.wait(10) == 2
    assert word in daemon.output
    assert "Traceback" not in daemon.output


def test_a_home_too_deep_for_a_socket_is_said(tmp_path: Path) -> None:
    home = tmp_path / ("deep" * 25)
    daemon = SandboxdProcess(home, tmp_path / "exercises", "fake")
    daemon.start()
    assert daemon.process.wait(10) == 2
    assert "shorter SOTY_HOME" in daemon.output


@pytest.mark.parametrize(
    ("entry", "never"),
    [
        ("app.sandbox.daemon.__main__", ("sqlalchemy", "flask", "app.db", "app.accounts", "app.web")),
        ("app.live.__main__", ("sqlalchemy", "flask", "app.db", "app.accounts", "app.web", "app.sandbox.engines")),
    ],
)
def test_a_process_loads_its_own_libraries_only(tmp_path: Path, entry: str, never: tuple[str, ...]) -> None:
    # Given the process' entry with its server replaced by a look at what was imported
    code = f"""
import sys, asyncio, {entry}
from aiohttp import web
def look(*_, **__):
    print(*sorted(sys.modules))
    sys.exit(0)
asyncio.run = web.run_app = look
{entry}.main()
"""
    environment = {"SOTY_HOME": str(tmp_path), "SOTY_ENGINE": "fake", "SOTY_TESTING": "1", "PYTHONPATH": str(TOP)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, cwd=TOP, capture_output=True, text=True, timeout=30)
    loaded = set(result.stdout.split())
    # Then it serves with gRPC (positive control) and without the rest
    assert "grpc" in loaded, result.stderr
    assert not {name for name in loaded if any(name == part or name.startswith(f"{part}.") for part in never)}


def test_the_generated_messages_are_those_of_the_proto(tmp_path: Path) -> None:
    command = [
        "-m",
        "grpc_tools.protoc",
        "-I.",
        f"--python_out={tmp_path}",
        f"--grpc_python_out={tmp_path}",
        f"--pyi_out={tmp_path}",
    ]
    subprocess.run([sys.executable, *command, "app/sandbox/sandbox.proto"], cwd=TOP, check=True, timeout=60)
    for name in ("sandbox_pb2.py", "sandbox_pb2.pyi", "sandbox_pb2_grpc.py"):
        fresh, committed = tmp_path / "app" / "sandbox" / name, TOP / "app" / "sandbox" / name
        remedy = f"type: python {' '.join(command)} app/sandbox/sandbox.proto".replace(str(tmp_path), ".")
        assert fresh.read_text() == committed.read_text(), remedy
