"""Where cheating is tried: a private grader over exercises of our own, many gradings at once, and what the prober weighs."""

from __future__ import annotations

import itertools
import json
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.content.exercise import Exercise, load_exercise
from app.grading.blank import make_exercise
from app.grading.local import LocalGrader
from app.grading.report import Report
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.model import Purpose
from app.settings import CHECKOUT
from tests.attacks.aftermath import WITHIN
from tests.graders import grader_over
from tests.product import eventually
from tests.proofs import offered

AT_ONCE = 4
_owners = itertools.count(1)

#: The honest solution of the blank exercise, with places where an attack may stand.
SERVER = """
import gzip, json, os, socket, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        number = self.path.removeprefix("/double/")
        {on_request}
        if not number.lstrip("-").isdigit():
            return self.send_error(400)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(str(int(number) * 2).encode())

{before}
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def server(on_request: str = "pass", before: str = "") -> dict[str, str]:
    """Files of a solution that does something else at each request, or before it listens."""
    return {"server.py": SERVER.format(on_request="\n        ".join(on_request.strip().splitlines()), before=before)}


class Range:
    """The grader and its exercises.

    Attributes:
        victim: the exercise that `./soty exercise new` makes: a service that doubles numbers over HTTP.
        greeter, queue: g1-greeter (gRPC) and r1-hello-queue (RabbitMQ).
        prober_peak_mb: the most memory that a prober has had so far, in MiB.
    """

    def __init__(self, grader: LocalGrader, exercises: Path) -> None:
        self._grader = grader
        self.exercises = exercises
        self.victim = load_exercise(exercises / "victim")
        self.greeter = load_exercise(exercises / "g1-greeter")
        self.queue = load_exercise(exercises / "r1-hello-queue")
        self.prober_peak_mb = 0.0

    @property
    def client(self) -> Any:
        """Of the private `sandboxd`."""
        return self._grader.client

    def grade(
        self, files: Mapping[str, str], exercise: Exercise | None = None, *, seed: int | None = 5, only: tuple[str, ...] = ()
    ) -> Report:
        """One grading, as submissions get them; the prober is weighed meanwhile."""
        with self._weighing():
            return self._grader.grade(exercise or self.victim, files, seed=seed, only=only)

    def grade_all(
        self, solutions: Mapping[str, Mapping[str, str]], exercise: Exercise | None = None, *, only: tuple[str, ...] = ()
    ) -> dict[str, Report]:
        """Several at once: most of what hostile code does is to wait."""
        with ThreadPoolExecutor(AT_ONCE) as pool, self._weighing():
            wanted = exercise or self.victim
            futures = {
                name: pool.submit(self._grader.grade, wanted, files, seed=5, only=only) for name, files in solutions.items()
            }
            return {name: future.result() for name, future in futures.items()}

    def launch(self, files: Mapping[str, str], purpose: Purpose = Purpose.PRACTICE, exercise: Exercise | None = None) -> str:
        """A sandbox of a new learner, ready; its id."""
        wanted, sandbox = exercise or self.victim, secrets.token_hex(10)
        editable = {path: text for path, text in files.items() if path in wanted.editable_paths}
        self.client.launch(
            sandbox, exercise_id=wanted.id, content_hash=wanted.content_hash, purpose=purpose,
            owner=f"learner-{next(_owners)}", files=editable,
        )  # fmt: skip
        eventually("the sandbox is ready", lambda: self.status(sandbox).state == "ready", within=60)
        return sandbox

    def status(self, sandbox: str) -> pb.Sandbox:
        """How a sandbox is now."""
        found: pb.Sandbox = self.client.status(sandbox, timeout=5)
        return found

    def stop(self, sandbox: str) -> None:
        """End a sandbox and wait until it is gone."""
        self.client.stop(sandbox)
        eventually("the sandbox is gone", lambda: self.status(sandbox).state == "gone", within=10)

    def assert_launches(self) -> None:
        """A fresh sandbox of another learner is ready within seconds."""
        began = time.monotonic()
        self.stop(self.launch(self.victim.solution()))
        assert time.monotonic() - began < WITHIN, "a fresh launch takes longer than that"
        eventually("nothing else runs", lambda: not self.client.list().sandboxes, within=WITHIN)

    @contextmanager
    def _weighing(self) -> Iterator[None]:
        done = threading.Event()

        def weigh() -> None:
            while not done.wait(0.1):
                self.prober_peak_mb = max([self.prober_peak_mb, *_probers()])

        thread = threading.Thread(target=weigh, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _probers() -> Iterator[float]:
    """Peaks of the resident memory of all processes of probers, in MiB."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if b"/member/run.py" not in (folder / "cmdline").read_bytes():
                continue
            lines = (folder / "status").read_text().splitlines()
        except OSError:
            continue
        yield from (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def said(report: Report, service: str = "doubler") -> dict[str, Any]:
    """What a service printed as its last line of JSON."""
    lines = [line for line in report.log_tails[service].splitlines() if line.startswith("{")]
    found: dict[str, Any] = json.loads(lines[-1])
    return found


@contextmanager
def shooting_range(top: Path) -> Iterator[Range]:
    """A grader over `top`/exercises, where `victim` is made."""
    offered(make_exercise(top / "exercises", "victim"))
    for name in ("g1-greeter", "r1-hello-queue"):
        shutil.copytree(CHECKOUT / "exercises" / name, top / "exercises" / name)
        offered(top / "exercises" / name)
    with grader_over(top / "home", top / "exercises") as grader:
        found = Range(grader, top / "exercises")
        found.assert_launches()
        yield found
