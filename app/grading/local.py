"""Grading without a server: a private `sandboxd` on the working files, for the time of a `with` block."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from app.content.exercise import Exercise
from app.errors import Conflict, PlatformError, Unavailable
from app.grading.collector import Collector
from app.grading.report import Report, StageReport
from app.grading.version import grader_version
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.client import SandboxdClient
from app.sandbox.daemon.ownership import owned
from app.sandbox.model import Purpose
from app.settings import CHECKOUT, Settings

START_SECONDS = 30.0
STOP_SECONDS = 12.0
IMAGE_SECONDS = 1800.0
RUN_SECONDS = 1200.0
STATUS_SECONDS = 5.0
LOG_TAIL = 16 * 1024  #: characters
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
_LOOK_AGAIN = 0.2

Progress = Callable[[str], None]


class LocalGrader:
    """Grades files in fresh sandboxes of a `sandboxd` of its own. Use it as a context manager; threads may share it.

    Args:
        settings: of the working copy; images and their cache are shared with the running Soty, everything else is private.
        engine: name of the engine; the settings' own by default.
        progress: hears in one line what is being waited for.

    Raises:
        PlatformError: `sandboxd` does not start; the message holds its own words.
    """

    def __init__(self, settings: Settings, *, engine: str | None = None, progress: Progress = lambda _: None) -> None:
        self._settings, self._engine, self._progress = settings, engine or settings.engine, progress
        self._exit = ExitStack()
        self._version = grader_version(settings.images_dir)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            private = self._settings.home / "private"
            private.mkdir(parents=True, exist_ok=True)
            _sweep(private)
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="g", dir=private)))
            home.chmod(0o755)
            images = self._settings.home / "images"
            images.mkdir(exist_ok=True)
            (home / "images").symlink_to(images)
            daemon = self._start(home)
            stack.callback(_stop, daemon)
            socket_path = home / "sandboxd" / "control.sock"
            _wait_for_socket(daemon, socket_path, home / "log")
            self._client = stack.enter_context(SandboxdClient(socket_path))
            self._exit = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    @property
    def engine_name(self) -> str:
        """The engine that really runs the sandboxes."""
        return self._client.doctor().engine

    @property
    def client(self) -> SandboxdClient:
        """The private `sandboxd`, for whoever needs more of it than a report."""
        return self._client

    def grade(
        self,
        exercise: Exercise,
        files: Mapping[str, str],
        *,
        seed: int | None = None,
        only: tuple[str, ...] = (),
        first_failure: bool = False,
        on_event: Callable[[pb.RunEvent], None] = lambda _: None,
    ) -> Report:
        """Run the checks on `files` in a fresh sandbox.

        Args:
            files: a workspace; what the exercise does not let edit is left out.
            seed: of the draws, 31 bits; drawn when None.
            only: check ids; empty: all.
            first_failure: end the run at the first check that fails; those after it are `skipped`.
            on_event: hears every event as it happens.

        Raises:
            PlatformError: the sandbox could not be had; a run that began always returns a report.
        """
        sandbox = secrets.token_hex(10)
        editable = {path: files[path] for path in exercise.editable_paths if path in files}
        begun = time.monotonic()
        self._launch(sandbox, exercise, editable)
        launched = StageReport("launch", round(time.monotonic() - begun, 3))
        try:
            collector = Collector(exercise, stages=[launched], grader_version=self._version)
            drawn = secrets.randbits(31) if seed is None else seed
            ended: list[pb.CheckResult] = []
            for event in self._client.run(sandbox, seed=drawn, only=only, timeout=RUN_SECONDS):
                collector.take(event)
                on_event(event)
                if event.WhichOneof("event") == "check_finished":
                    ended.append(event.check_finished)
                    if first_failure and event.check_finished.status == "failed":
                        collector.take(self._cut_short(sandbox, exercise, ended, drawn))
                        break
            return collector.report()
        finally:
            self._client.stop(sandbox)

    def reload(self) -> None:
        """Read the exercises anew, after their files have changed."""
        self._client.reload()

    def _cut_short(self, sandbox: str, exercise: Exercise, ended: Sequence[pb.CheckResult], seed: int) -> pb.RunEvent:
        """The end of a run that was not waited for."""
        known = {check.id for check in ended}
        left = [check for check in exercise.definition.checks.items if check.id not in known]
        skipped = [pb.CheckResult(id=check.id, status="skipped", max_points=check.points) for check in left]
        tails = {name: tail for name in self._learners(sandbox) if (tail := self._tail(sandbox, name))}
        finished = pb.RunFinished(verdict="failed", seed=seed, scale=1.0, checks=[*ended, *skipped])
        finished.score = sum(check.points for check in ended)
        finished.log_tails_json = json.dumps(tails, ensure_ascii=False)
        return pb.RunEvent(finished=finished)

    def _learners(self, sandbox: str) -> list[str]:
        try:
            return [one.full_name for one in self._client.status(sandbox, timeout=STATUS_SECONDS).services if not one.given]
        except PlatformError:
            return []

    def _tail(self, sandbox: str, service: str) -> str:
        try:
            return self._client.logs(sandbox, service).data.decode("utf-8", "replace")[-LOG_TAIL:]
        except PlatformError:
            return ""

    def _start(self, home: Path) -> subprocess.Popen[bytes]:
        settings = self._settings
        variables = {
            "HOME": home,
            "ENGINE": self._engine,
            "EXERCISES_DIR": settings.exercises_dir,
            "IMAGES_DIR": settings.images_dir,
            "APT_MIRROR": settings.apt_mirror,
            "SANDBOX_MEMORY_MB": settings.sandbox_memory_mb,
            "SANDBOX_SLOTS": settings.sandbox_slots,
            "TESTING": int(settings.testing),
            "LOG_LEVEL": settings.log_level,
        }
        given = [f"SOTY_{name}={value}" for name, value in variables.items()]
        argv = ["env", "-u", "SOTY_SECRET_KEY", *given, *DIES_WITH_US, sys.executable, "-m", "app.sandbox.daemon"]
        with (home / "log").open("wb") as log:
            return subprocess.Popen(
                argv, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _launch(self, sandbox: str, exercise: Exercise, files: Mapping[str, str]) -> None:
        """Launch as soon as the images of the exercise are ready."""
        deadline = time.monotonic() + IMAGE_SECONDS
        while True:
            try:
                self._client.launch(
                    sandbox,
                    exercise_id=exercise.id,
                    content_hash=exercise.content_hash,
                    purpose=Purpose.PROOF,
                    owner=sandbox,
                    files=files,
                )
                return
            except PlatformError as error:
                if error.code != "image-not-ready" or time.monotonic() > deadline:
                    raise
                broken = [image for image in self._client.images().images if image.state == "failed"]
                if broken:
                    message = f"The image `{broken[0].name}` cannot be prepared: {broken[0].error}"
                    raise Unavailable(message, code="image-failed") from error
                self._progress(error.message)
                time.sleep(_LOOK_AGAIN)


def _sweep(private: Path) -> None:
    """Remove the folders of graders that died without a goodbye; the lock of a living one is held, or soon will be."""
    for folder in private.iterdir():
        if folder.stat().st_mtime > time.time() - START_SECONDS:
            continue
        try:
            with owned(folder / "sandboxd"):
                shutil.rmtree(folder)
        except Conflict:
            continue


def _wait_for_socket(daemon: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if daemon.poll() is not None or time.monotonic() > deadline:
            said = log.read_text("utf-8", "replace").strip()[-2000:]
            raise Unavailable(f"A private sandboxd did not start: {said or 'it said nothing'}", code="sandboxd-not-started")
        time.sleep(0.05)


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    """End it in order; it takes its sandboxes along."""
    daemon.terminate()
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait(STOP_SECONDS)
