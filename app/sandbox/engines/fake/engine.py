"""An engine without isolation, because it runs nothing: services are scripts of states and log lines. For tests.

Moods are the ways in which a real engine can disappoint its caller.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum

from app.sandbox.engine import EngineError, EngineRefused, NoSuchFile, NoSuchSandbox, NoSuchService
from app.sandbox.engines.fake.guests import FakeMember, FakeTerminal, agree, echo_lines
from app.sandbox.engines.fake.sandbox import FakeSandbox
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.engines.validation import (
    MOST_REPLICAS,
    check_environment,
    check_files,
    check_member,
    check_spec,
)
from app.sandbox.model import (
    DoctorReport,
    EngineStatus,
    ExecResult,
    Finding,
    LogChunk,
    MemberSpec,
    SandboxSpec,
    ServiceState,
)


class Mood(StrEnum):
    """How the engine behaves."""

    NORMAL = "normal"
    SLOW = "slow"  #: launch takes `delay`
    NEVER_READY = "never-ready"  #: services stay in `starting`
    DIES_LATER = "dies-later"  #: `delay` after the launch the isolation is gone
    FULL = "full"  #: every launch is an engine error
    REFUSES = "refuses"  #: isolation is missing


class EngineFull(EngineError):
    """There is no room for another sandbox."""

    code = "engine-full"


class FakeEngine:
    """See `app.sandbox.engine.Engine`. `script` are the log lines of every service; `delay` is in seconds."""

    name = "fake"

    def __init__(self, mood: Mood = Mood.NORMAL, *, delay: float = 0.05, script: Sequence[str] = ("started",)) -> None:
        self.mood = mood
        self.delay = delay
        self._script = "".join(f"{line}\n" for line in script).encode()
        self._sandboxes: dict[str, FakeSandbox] = {}
        self._launching: dict[str, asyncio.Lock] = {}
        self._deaths: set[asyncio.Task[None]] = set()

    async def doctor(self) -> DoctorReport:
        """See `Engine`."""
        usable = self.mood is not Mood.REFUSES
        finding = Finding("isolation", usable, "" if usable else "The fake engine refuses.", "Choose another mood.")
        kinds = ("memory", "cpu", "pids", "disk", "log", "network")
        return DoctorReport(self.name, usable, dict.fromkeys(kinds, "none"), (finding,))

    async def launch(self, spec: SandboxSpec) -> None:
        """See `Engine`."""
        check_spec(spec)
        async with self._launching.setdefault(spec.id, asyncio.Lock()):
            if spec.id in self._sandboxes and self._sandboxes[spec.id].alive:
                return
            if self.mood is Mood.REFUSES:
                raise EngineRefused("The fake engine refuses.", cure="Choose another mood.")
            if self.mood is Mood.FULL:
                raise EngineFull()
            if self.mood is Mood.SLOW:
                await asyncio.sleep(self.delay)
            sandbox = FakeSandbox(spec, self._script, never_ready=self.mood is Mood.NEVER_READY)
            self._sandboxes[spec.id] = sandbox
            for service in spec.services:
                sandbox.scale(service, service.replicas)
            if self.mood is Mood.DIES_LATER:
                task = asyncio.create_task(self._die_later(sandbox))
                self._deaths.add(task)
                task.add_done_callback(self._deaths.discard)

    async def release(self, sandbox_id: str, failure: str = "") -> None:
        """See `Engine`."""
        self._sandbox(sandbox_id).release(failure)

    async def status(self, sandbox_id: str) -> EngineStatus:
        """See `Engine`."""
        return self._sandbox(sandbox_id).status()

    async def watch(self, sandbox_id: str) -> AsyncIterator[EngineStatus]:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        changed = sandbox.changed
        yield sandbox.status()
        while sandbox.alive:
            await changed.wait()
            changed = sandbox.changed
            yield sandbox.status()

    async def logs(self, sandbox_id: str, service: str, offset: int = 0, limit: int = 65536) -> LogChunk:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        return LogChunk(service, offset, sandbox.logs[name][offset : offset + limit])

    async def exec(
        self,
        sandbox_id: str,
        service: str,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float = 10.0,
    ) -> ExecResult:
        """`cat` answers its input, `true` and `false` what they should; everything else is not found."""
        check_environment(env or {})
        sandbox, name = self._replica(sandbox_id, service)
        if not sandbox.runs(name):
            raise EngineError(f"{service} does not run")
        known = {"cat": (0, stdin), "true": (0, b""), "false": (1, b"")}
        code, output = known.get(argv[0].rpartition("/")[2], (127, b""))
        return ExecResult(code, output, b"" if code < 127 else f"{argv[0]}: not found\n".encode())

    async def terminal(
        self, sandbox_id: str, service: str, argv: Sequence[str] = (), *, rows: int = 24, cols: int = 80
    ) -> FakeTerminal:
        """See `Engine`."""
        self._replica(sandbox_id, service)
        terminal = FakeTerminal()
        terminal.resize(rows, cols)
        return terminal

    async def dial(self, sandbox_id: str, service: str, port: int, *, timeout: float = 2.0) -> socket.socket:
        """Connects to nobody when the port is the service's ready port; refused otherwise."""
        sandbox, name = self._replica(sandbox_id, service)
        spec = sandbox.spec_of(sandbox.replicas[name].name)
        if spec.ready is None or spec.ready.port != port or not sandbox.runs(name):
            raise ConnectionRefusedError(f"{service}:{port}")
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    async def attach(self, sandbox_id: str, member: MemberSpec) -> FakeMember:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        check_member(member, sandbox.spec)
        living = {name: guest.stands_for for name, guest in sandbox.members.items() if guest.running}
        if member.name in living or (member.stands_for and member.stands_for in living.values()):
            raise EngineError(f"A member {member.name} runs already.", code="member-exists")
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        their_reader, their_writer = await asyncio.open_connection(sock=theirs)
        program = agree if member.stands_for else echo_lines
        guest = FakeMember(writer, reader, asyncio.create_task(program(their_reader, their_writer)), member.stands_for)
        sandbox.members[member.name] = guest
        return guest

    async def put(self, sandbox_id: str, files: Mapping[str, bytes], *, replace: bool = True) -> str:
        """See `Engine`."""
        check_files(files)
        sandbox = self._sandbox(sandbox_id)
        sandbox.files = dict(files) if replace else {**sandbox.files, **files}
        return workspace_revision(file_digests(sandbox.files))

    async def get(self, sandbox_id: str, service: str, path: str, *, limit: int = 1 << 20) -> bytes:
        """See `Engine`."""
        sandbox, _ = self._replica(sandbox_id, service)
        content = sandbox.files.get(path.removeprefix("/workspace/"))
        if content is None or len(content) > limit:
            raise NoSuchFile()
        return content

    async def start(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if not sandbox.runs(name):
            sandbox.start(name)

    async def stop_service(self, sandbox_id: str, service: str, *, grace: float = 3.0) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if sandbox.runs(name):
            sandbox.set(name, ServiceState.STOPPED, exit_code=143, signal=15)

    async def kill(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        status = sandbox.replicas[name]
        if not sandbox.runs(name):
            return
        sandbox.set(name, ServiceState.CRASHED, exit_code=137, signal=9)
        if sandbox.spec_of(status.name).restart == "always":
            sandbox.start(name, restarts=status.restarts + 1)

    async def restart(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        sandbox.start(name)

    async def pause(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if not sandbox.runs(name):
            raise EngineError(f"{service} does not run")
        sandbox.set(name, ServiceState.PAUSED)

    async def resume(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if sandbox.replicas[name].state is ServiceState.PAUSED:
            sandbox.set(name, ServiceState.READY)

    async def scale(self, sandbox_id: str, service: str, replicas: int) -> None:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        sandbox.scale(sandbox.spec_of(service), min(MOST_REPLICAS, max(0, replicas)))

    async def stop(self, sandbox_id: str) -> None:
        """See `Engine`."""
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            await sandbox.end("stopped")

    async def list(self) -> Sequence[str]:
        """See `Engine`."""
        return [name for name, sandbox in self._sandboxes.items() if sandbox.alive]

    async def reap(self) -> int:
        """See `Engine`."""
        return 0

    async def close(self) -> None:
        """See `Engine`."""
        for task in self._deaths:
            task.cancel()
        for name in list(self._sandboxes):
            await self.stop(name)

    def write_log(self, sandbox_id: str, service: str, data: bytes) -> None:
        """Let a service say something."""
        sandbox, name = self._replica(sandbox_id, service)
        sandbox.logs[name] += data
        sandbox.tell()

    async def _die_later(self, sandbox: FakeSandbox) -> None:
        await asyncio.sleep(self.delay)
        await sandbox.end("its isolation ended")

    def _sandbox(self, sandbox_id: str) -> FakeSandbox:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise NoSuchSandbox()
        return sandbox

    def _replica(self, sandbox_id: str, service: str) -> tuple[FakeSandbox, str]:
        sandbox = self._sandbox(sandbox_id)
        if not sandbox.alive:
            raise NoSuchSandbox(sandbox.reason)
        if service not in sandbox.replicas:
            raise NoSuchService(f"there is no service {service}")
        return sandbox, service
