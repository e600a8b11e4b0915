"""sandboxd on a desk: the real daemon in a thread of the test, spoken to through its real sockets.

Over the fake engine two things are played: services (its scripts) and the prober, which runs as a plain process of this machine
with the script that a test gives it, so that the two pipes between them are real. A test may bring a real engine instead.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from app.content.exercise import Exercise
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.admission import Admission, Capacity
from app.sandbox.client import SandboxdClient
from app.sandbox.daemon.exercises import Exercises
from app.sandbox.daemon.life import Clock
from app.sandbox.daemon.preparation import Images, NoTrees, Preparation
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.daemon.server import running
from app.sandbox.daemon.usual import UsualTimes
from app.sandbox.engine import Member
from app.sandbox.engines.fake import FakeEngine
from app.sandbox.grants import TicketMint, TicketVerifier, public_key_path
from app.sandbox.journal import Journal
from app.sandbox.model import MemberSpec, Purpose
from tests.product import TOP
from tests.proofs import offered

Value = TypeVar("Value")
AUDIENCE = "http://live.localhost:8001"
PLENTY = Capacity(memory_mb=100_000, slots=16, checking=2)
#: What a prober's script may use: say(type=…, …) writes a frame, ask(op, …) makes a call and returns its answer.
PRELUDE = """
import json, sys
def say(**frame):
    print(json.dumps(frame), flush=True)
def ask(op, service="", **arguments):
    say(type="call", n=1, op=op, service=service, **arguments)
    return json.loads(sys.stdin.readline())
def check(id, status="passed", **more):
    say(type="check_started", id=id)
    say(type="check_finished", id=id, status=status, seconds=0.1, **more)
job = json.load(open(__file__.replace("run.py", "job.json")))
"""
PASSES = "check('first'); check('second'); say(type='finished', scale=1.0)"
_EXERCISE = """
format: 1
id: {id}
module: m01
lesson: m01-l01
order: 1
title: {{ru: Т, en: T}}
goal: {{ru: Т, en: T}}
level: easy
minutes: 10
sandbox:
  services:
    web: {{image: python, command: [python3, main.py], ready: {{kind: tcp, port: 8000}}, limits: {{memory: 64m}}}}
    peer: {{image: python, given: true, command: [python3, /given/peer.py]}}
    batch: {{image: python, command: [python3, batch.py], start: manual}}
workspace:
  editable: [{{path: main.py}}]
checks:
  timeout_seconds: 5
  items:
    - {{id: first, points: 60, title: {{ru: Т, en: T}}}}
    - {{id: second, points: 40, needs: [first], title: {{ru: Т, en: T}}}}
starter_fails: [first]
mutants:
  - {{id: m1, dir: mutant, killed_by: [first], why: {{ru: Т, en: T}}}}
  - {{id: m2, dir: mutant, killed_by: [first], why: {{ru: Т, en: T}}}}
  - {{id: m3, dir: mutant, killed_by: [first], why: {{ru: Т, en: T}}}}
hints: [{{ru: Т, en: T}}, {{ru: Т, en: T}}, {{ru: Т, en: T}}]
"""
_ids = itertools.count(1)


def write_exercise(folder: Path, exercise_id: str = "echo") -> Exercise:
    """A small valid exercise: `web` and the manual `batch` are the learner's, `peer` is given."""
    home = folder / exercise_id
    for name, text in {
        "exercise.yaml": _EXERCISE.format(id=exercise_id),
        "task.ru.md": "Т",
        "task.en.md": "T",
        "starter/main.py": "print('starter')\n",
        "starter/batch.py": "print('batch')\n",
        "reference/main.py": "print('reference')\n",
        "mutant/main.py": "print('mutant')\n",
        "given/peer.py": "print('peer')\n",
        "checks/checks.py": "",
    }.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return offered(home)


def new_id() -> str:
    """A sandbox id that no other test uses."""
    return f"desk{next(_ids):016d}"


class DeskEngine(FakeEngine):
    """The fake engine, whose guests are processes of this machine: each runs the `run.py` among its files.

    Attributes:
        guests: every process that was attached.
        argvs: what was executed inside services.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.guests: list[asyncio.subprocess.Process] = []
        self.argvs: list[tuple[str, ...]] = []
        self.restarted: list[str] = []

    async def attach(self, sandbox_id: str, member: MemberSpec) -> Member:
        self._sandbox(sandbox_id)
        folder = Path(tempfile.mkdtemp(prefix="soty-desk-"))
        for name, content in member.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        pipe = asyncio.subprocess.PIPE
        argv = (sys.executable, "-I", str(folder / "run.py"))
        process = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, stderr=pipe, limit=1 << 20)
        self.guests.append(process)
        return DeskMember(process, folder)

    async def restart(self, sandbox_id: str, service: str) -> None:
        self.restarted.append(service)
        await super().restart(sandbox_id, service)


class DeskMember:
    """See `app.sandbox.engine.Member`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self.stdin, self.stdout = process.stdin, process.stdout
        self._process, self._folder = process, folder
        self._stderr = asyncio.create_task(process.stderr.read())

    async def wait(self) -> int:
        return await self._process.wait()

    async def stderr_tail(self) -> bytes:
        return (await asyncio.wait_for(self._stderr, 2))[-16384:] if self._process.returncode is not None else b""

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        self.stdin.close()
        with suppress(RuntimeError):  # somebody reads it already
            while await self.stdout.read(1 << 16):
                pass  # a pipe that nobody has read to its end keeps the process from being waited for
        await self._process.wait()
        await self._stderr
        shutil.rmtree(self._folder, ignore_errors=True)


class Desk:
    """The running daemon and what a test needs around it.

    Attributes:
        hurry: seconds that are added to both clocks of the daemon.
        script: what the next prober runs, after `PRELUDE`.

    Args:
        engine: played, or real; then `images` are real as well.
        write: writes the exercise.
        tap_files: what a tap gets.
    """

    def __init__(
        self,
        home: Path,
        engine: Any,
        capacity: Capacity,
        *,
        images: Images | None = None,
        write: Callable[[Path], Exercise] = write_exercise,
        tap_files: Mapping[str, bytes] | None = None,
    ) -> None:
        self.home, self.engine, self.capacity = home, engine, capacity
        self.images = images or NoTrees(TOP / "sandboxes")
        self.tap_files = tap_files or {}
        self.hurry = 0.0
        self.script = PASSES
        self.exercise = write(home / "exercises")
        self.mint = TicketMint.open(home)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="sandboxd")
        self._up, self._stop = threading.Event(), asyncio.Event()
        self._fault: BaseException | None = None
        self.sockets = home / "sandboxd"
        self.sockets.mkdir(exist_ok=True)

    def start(self) -> None:
        """Returns once the sockets answer."""
        self._thread.start()
        assert self._up.wait(10), "the daemon did not start"
        if self._fault:
            raise self._fault
        self.client = SandboxdClient(self.sockets / "control.sock")

    def stop(self) -> None:
        """An orderly end, as on SIGTERM. Idempotent."""
        if not self._thread.is_alive():
            return
        self.client.close()
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(15)
        assert not self._thread.is_alive(), "the daemon did not end"

    def do(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run something on the daemon's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    # Shorthands of tests

    def launch(
        self,
        sandbox_id: str = "",
        *,
        purpose: Purpose = Purpose.PRACTICE,
        owner: str = "",
        files: Mapping[str, str] | None = None,
    ) -> pb.Sandbox:
        """Launch the exercise; a new id and a new owner unless told."""
        sandbox_id = sandbox_id or new_id()
        return self.client.launch(
            sandbox_id,
            exercise_id=self.exercise.id,
            content_hash=self.exercise.content_hash,
            purpose=purpose,
            owner=owner or f"owner-of-{sandbox_id}",
            files=files or {},
        )

    def ready(self, within: float = 5.0, **how: Any) -> pb.Sandbox:
        """Launch and wait until it is ready."""
        return self.until(self.launch(**how).id, lambda now: now.state == "ready", within)

    def until(self, sandbox_id: str, holds: Callable[[pb.Sandbox], bool], within: float = 5.0) -> pb.Sandbox:
        """Look until `holds`; fails with the last look."""
        deadline = time.monotonic() + within
        while not holds(now := self.client.status(sandbox_id, timeout=5)):
            assert time.monotonic() < deadline, f"not within {within:g} s: {now}"
            time.sleep(0.02)
        return now

    def run(self, sandbox_id: str, script: str = PASSES, **how: Any) -> list[pb.RunEvent]:
        """Run the checks with this script as the prober; all events."""
        self.script = script
        self.do(self._reload())
        return list(self.client.run(sandbox_id, seed=7, timeout=30, **how))

    # Inside

    def prober_files(self, _: Exercise) -> Mapping[str, bytes]:
        return {"run.py": (PRELUDE + self.script).encode()}

    async def _reload(self) -> None:
        for record in self.sandboxes.list():
            if record.loaded:
                object.__setattr__(record.loaded, "prober", self.prober_files(self.exercise))

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_until_complete(self._serve())
        except BaseException as fault:  # noqa: BLE001 - shown by the test's own thread
            self._fault = fault
            self._up.set()
        finally:
            self.loop.close()

    async def _serve(self) -> None:
        exercises = Exercises(self.home / "exercises", self.prober_files)
        exercises.reload()
        images = Preparation(self.images)
        self.sandboxes = Sandboxes(
            self.engine,
            exercises,
            images,
            Journal(self.sockets / "journal"),
            Admission(self.capacity, clock=self._monotonic),
            UsualTimes(self.sockets / "usual.json"),
            self.tap_files,
            instance="desk",
            clock=Clock(self._monotonic, lambda: time.time() + self.hurry),
        )
        verifier = TicketVerifier(public_key_path(self.home), AUDIENCE)
        async with running(self.sandboxes, images, verifier, self.sockets):
            self._up.set()
            await self._stop.wait()

    def _monotonic(self) -> float:
        return time.monotonic() + self.hurry


@contextmanager
def desk(home: Path, engine: Any = None, capacity: Capacity = PLENTY, **how: Any) -> Iterator[Desk]:
    """A running daemon over `home`; ended in any case."""
    found = Desk(home, engine or DeskEngine(), capacity, **how)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def service(sandbox: pb.Sandbox, name: str) -> pb.Service:
    """One replica of a sandbox as it was told."""
    return next(s for s in sandbox.services if s.full_name == name)
