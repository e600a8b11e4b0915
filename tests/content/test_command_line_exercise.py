"""`./soty exercise` as its authors use it: a process of its own, real sandboxes, files that change under it."""

from __future__ import annotations

import json
import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.content.exercise import load_exercise
from app.content.proof import proof_path
from app.grading.blank import make_exercise
from app.settings import CHECKOUT
from tests.product import share_images

ID = "my-first"
CONTENT_WITH_ANYTHING = """
from kit import Kit, Text, check, equal

@check("doubles")
def doubles(kit: Kit) -> None:
    kit.expect(kit.http("doubler", 8080).get("/double/4").status, equal(200), Text("статус", "status"))

@check("refuses")
def refuses(kit: Kit) -> None:
    kit.expect(bool(kit.http("doubler", 8080).get("/double/x").status), equal(True), Text("ответ", "answer"))
"""


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home, and beside it the exercise that `new` makes; the path is short because sockets lie below it."""
    place = tmp_path_factory.mktemp("x")
    share_images(place / "home")
    make_exercise(place / "exercises", ID)
    return place


def environment(place: Path) -> dict[str, str]:
    mine = {"SOTY_HOME": str(place / "home"), "SOTY_EXERCISES_DIR": str(place / "exercises"), "SOTY_CALLED_FROM": str(place)}
    return {**os.environ, **mine, "PYTHONUNBUFFERED": "1"}


def soty(place: Path, *arguments: str, within: float = 240.0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "app.cli", "exercise", *arguments]
    return subprocess.run(
        argv, cwd=CHECKOUT, env=environment(place), capture_output=True, text=True, timeout=within, check=False
    )


def edit(place: Path, path: str, old: str, new: str) -> None:
    file = place / "exercises" / ID / path
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


class Watched:
    """`watch` at work; `lines` are what it has printed on its standard output."""

    def __init__(self, process: subprocess.Popen[bytes], output: int) -> None:
        self.process, self.lines = process, list[str]()
        self._news: queue.Queue[str] = queue.Queue()
        self._output = output
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                piece = os.read(self._output, 65536)
            except OSError:  # the other end of a terminal is closed
                return
            if not piece:
                return
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                self._news.put(line.decode().rstrip("\r"))

    def until(self, text: str, within: float = 90.0) -> list[str]:
        """What it says until a line holds `text`, that line included."""
        deadline, told = time.monotonic() + within, list[str]()
        while time.monotonic() < deadline:
            try:
                line = self._news.get(timeout=0.2)
            except queue.Empty:
                assert self.process.poll() is None, told
                continue
            self.lines.append(line)
            told.append(line)
            if text in line:
                return told
        raise AssertionError(f"{text!r} was not said: {told}")

    def interrupt(self) -> int:
        """Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


@contextmanager
def watching(place: Path, *, terminal: bool = False) -> Iterator[Watched]:
    ours, its = pty.openpty() if terminal else os.pipe()
    argv = [sys.executable, "-m", "app.cli", "exercise", "watch", ID]
    process = subprocess.Popen(
        argv, cwd=CHECKOUT, env={**environment(place), "COLUMNS": "120", "LINES": "40"}, stdout=its, stderr=subprocess.DEVNULL
    )
    os.close(its)
    try:
        yield Watched(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
        os.close(ours)
    deadline = time.monotonic() + 15
    while (left := processes_of(place)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left, "it leaves nothing behind"


def processes_of(place: Path) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            variables = (path / "environ").read_bytes()
        except OSError:
            continue
        if f"SOTY_EXERCISES_DIR={place}/exercises".encode() in variables.split(b"\0"):
            found.append(path.name)
    return found


def test_a_new_exercise_says_what_it_still_lacks(place: Path) -> None:
    told = soty(place, "check", ID)
    assert told.returncode == 1
    lines = told.stdout.splitlines()
    assert (
        f"exercises/{ID}/exercise.yaml:32: check `doubles` does not say what teaches it - add `teaches: lesson#heading`"
        in lines
    )
    assert lines[-1].split(maxsplit=2) == [ID, "unproven", "it has never been proved"]


def test_a_lesson_that_is_not_there_is_told_with_its_line(place: Path) -> None:
    edit(place, "exercise.yaml", "    - id: refuses\n", "    - id: refuses\n      teaches: m01-l99#nowhere\n")
    line = (place / "exercises" / ID / "exercise.yaml").read_text("utf-8").splitlines().index(
        "      teaches: m01-l99#nowhere"
    ) + 1
    what = "check `refuses` points to the lesson `m01-l99`, which the course does not have"
    assert f"exercises/{ID}/exercise.yaml:{line}: {what}" in soty(place, "check", ID).stdout.splitlines()


def test_grade_tells_a_program_the_verdict(place: Path) -> None:
    told = soty(place, "grade", ID, f"exercises/{ID}/mutants/adds", "--json", "--seed", "7")
    report = json.loads(told.stdout)
    assert (told.returncode, report["verdict"], report["seed"]) == (1, "failed", 7)


def test_checks_that_accept_the_echo_prove_nothing_and_the_exercise_stays_withheld(place: Path) -> None:
    # Given checks that are content with any answer
    (place / "exercises" / ID / "checks" / "checks.py").write_text(CONTENT_WITH_ANYTHING, "utf-8")
    # When they are proved
    told = soty(place, "prove", ID, "--runs", "1", "--stress", "1", "--json")
    # Then the echo is named, among others
    (proof,) = json.loads(told.stdout)
    assert (told.returncode, proof["ok"]) == (1, False)
    assert not proof["automatic"]["echo"]["ok"]
    assert proof["automatic"]["echo"]["why"].startswith("passes")
    assert proof["automatic"]["crashes"]["ok"]
    assert (proof["stress_runs"], proof["stress_passed"]) == (1, 1)
    exercise = load_exercise(place / "exercises" / ID)
    assert any(reason.startswith("automatic echo: passes") for reason in exercise.unproven)
    assert proof_path(exercise.folder).is_file()
    assert not processes_of(place)


def test_watch_tries_what_was_saved_and_nothing_else(place: Path) -> None:
    with watching(place) as watched:
        first = watched.until("6 of 6 solutions are judged as they must be")
        assert "ok  reference: doubles ✓ pass, refuses ✓ pass" in first
        assert "ok  mutant adds: doubles ✕ fail, refuses ✓ pass" in first
        # When a mutant is mended, only that one is tried; the check named for it is marked
        edit(place, "mutants/adds/server.py", "number + 2", "number * 2")
        second = watched.until("5 of 6")
        assert [line for line in second if line.startswith(("ok ", "BAD"))] == [
            next(line for line in second if line.startswith("BAD mutant adds: doubles ✓ pass!, refuses ✓ pass; passes (seed"))
        ]
        assert any("does not differ from the reference" in line for line in second)
        # When the checks change, everything is
        edit(place, "checks/checks.py", "equal(400)", "equal(422)")
        third = watched.until("solutions are judged")
        assert sum(line.startswith(("ok ", "BAD")) for line in third) == 6
        assert "BAD reference: doubles ✓ pass, refuses ✕ fail!; fails refuses" in next(
            line for line in third if line.startswith("BAD reference")
        )
        # When the definition cannot be read, it says where, and goes on once it can
        edit(place, "exercise.yaml", "points: 60", "points: 61")
        assert "101" in watched.until("sum to 100")[-1]
        edit(place, "exercise.yaml", "points: 61", "points: 60")
        edit(place, "checks/checks.py", "equal(422)", "equal(400)")
        watched.until("5 of 6")
        assert watched.interrupt() == 0


def test_in_a_terminal_the_matrix_is_drawn_anew(place: Path) -> None:
    with watching(place, terminal=True) as watched:
        watched.until("6 of 6 solutions are judged as they must be. Ctrl-C ends.")
        head = watched.until("doubles")[-1]
        assert head.split() == ["doubles", "refuses"]
        rows = watched.until("wrong-status")
        assert rows[0].split() == ["reference", "✓", "pass", "✓", "pass", "ok"]
        assert rows[-1].split() == ["mutant", "wrong-status", "✓", "pass", "✕", "fail", "ok"]
        assert any("\x1b[H\x1b[2J" in line for line in watched.lines)
        assert any("… runs" in line for line in watched.lines), "checks are seen at work"
        assert watched.interrupt() == 0


def test_watch_of_nothing_is_refused(place: Path) -> None:
    told = soty(place, "watch", "no-such-exercise")
    assert (told.returncode, told.stderr.strip()) == (4, "soty: There is no exercise `no-such-exercise`.")
