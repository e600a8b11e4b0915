"""An engine without isolation, because it runs nothing: services are scripts of states and log lines. For tests.

Moods are the ways in which a real engine can disappoint its caller.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from app.sandbox.engine import EngineError, EngineRefused, NoSuchFile, NoSuchSandbox, NoSuchService
from app.sandbox.engines.fake_guests import FakeMember, FakeTerminal, agree, echo_lines
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.engines.validation import (
    MOST_REPLICAS,
    check_environment,
    check_files,
    check_member,
    check_spec,
    ready_as_a_whole,
)
from app.sandbox.model import (
    DoctorReport,
    EngineStatus,
    ExecResult,
    Finding,
    LogChunk,
    MemberSpec,
    SandboxSpec,
    ServiceSpec,
    ServiceState,
    ServiceStatus,
)

_RUNNING = {ServiceState.STARTING, ServiceState.READY, ServiceState.PAUSED}


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


@dataclass(slots=True)
class _Sandbox:
    spec: SandboxSpec
    files: dict[str, bytes]
    replicas: dict[str, ServiceStatus] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)
    alive: bool = True
    reason: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    members: dict[str, FakeMember] = field(default_factory=dict)
    addresses: Iterator[int] = field(default_factory=lambda: itertools.count(10))
    released: bool = False
    failure: str = ""

    def tell(self) -> None:
        """Wake every watcher: each holds the event that was current when it last looked."""
        self.changed.set()
        self.changed = asyncio.Event()


class FakeEngine:
    """See `app.sandbox.engine.Engine`. `script` are the log lines of every service; `delay` is in seconds."""

    name = "fake"

    def __init__(self, mood: Mood = Mood.NORMAL, *, delay: float = 0.05, script: Sequence[str] = ("started",)) -> None:
        self.mood = mood
        self.delay = delay
        self._script = "".join(f"{line}\n" for line in script).encode()
        self._sandboxes: dict[str, _Sandbox] = {}
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
            sandbox = _Sandbox(spec, dict(spec.files))
            self._sandboxes[spec.id] = sandbox
            for service in spec.services:
                self._scale(sandbox, service, service.replicas)
            if self.mood is Mood.DIES_LATER:
                task = asyncio.create_task(self._die_later(sandbox))
                self._deaths.add(task)
                task.add_done_callback(self._deaths.discard)

    async def release(self, sandbox_id: str, failure: str = "") -> None:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        sandbox.released, sandbox.failure = True, failure
        learners = {service.name for service in sandbox.spec.services if not service.given and service.start == "launch"}
        for name, status in list(sandbox.replicas.items()):
            if status.name in learners:
                self._let_run(sandbox, name)

    async def status(self, sandbox_id: str) -> EngineStatus:
        """See `Engine`."""
        return _status(self._sandbox(sandbox_id))

    async def watch(self, sandbox_id: str) -> AsyncIterator[EngineStatus]:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        changed = sandbox.changed
        yield _status(sandbox)
        while sandbox.alive:
            await changed.wait()
            changed = sandbox.changed
            yield _status(sandbox)

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
        if sandbox.replicas[name].state not in _RUNNING:
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
        spec = _spec_of(sandbox, sandbox.replicas[name].name)
        if spec.ready is None or spec.ready.port != port or sandbox.replicas[name].state not in _RUNNING:
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
        if sandbox.replicas[name].state not in _RUNNING:
            self._start(sandbox, name)

    async def stop_service(self, sandbox_id: str, service: str, *, grace: float = 3.0) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if sandbox.replicas[name].state in _RUNNING:
            _set(sandbox, name, ServiceState.STOPPED, exit_code=143, signal=15)

    async def kill(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        status = sandbox.replicas[name]
        if status.state not in _RUNNING:
            return
        _set(sandbox, name, ServiceState.CRASHED, exit_code=137, signal=9)
        if _spec_of(sandbox, status.name).restart == "always":
            self._start(sandbox, name, restarts=status.restarts + 1)

    async def restart(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        self._start(sandbox, name)

    async def pause(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if sandbox.replicas[name].state not in _RUNNING:
            raise EngineError(f"{service} does not run")
        _set(sandbox, name, ServiceState.PAUSED)

    async def resume(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        sandbox, name = self._replica(sandbox_id, service)
        if sandbox.replicas[name].state is ServiceState.PAUSED:
            _set(sandbox, name, ServiceState.READY)

    async def scale(self, sandbox_id: str, service: str, replicas: int) -> None:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        self._scale(sandbox, _spec_of(sandbox, service), min(MOST_REPLICAS, max(0, replicas)))

    async def stop(self, sandbox_id: str) -> None:
        """See `Engine`."""
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            await self._end(sandbox, "stopped")

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

    async def _die_later(self, sandbox: _Sandbox) -> None:
        await asyncio.sleep(self.delay)
        await self._end(sandbox, "its isolation ended")

    @staticmethod
    async def _end(sandbox: _Sandbox, reason: str) -> None:
        sandbox.alive = False
        sandbox.reason = reason
        for member in sandbox.members.values():
            await member.kill()
        sandbox.tell()

    def _start(self, sandbox: _Sandbox, name: str, *, restarts: int = 0) -> None:
        state = ServiceState.STARTING if self.mood is Mood.NEVER_READY else ServiceState.READY
        sandbox.logs[name] += self._script
        revision = workspace_revision(file_digests(sandbox.files))
        _set(sandbox, name, state, exit_code=None, signal=None, restarts=restarts, files_revision=revision, message="")

    def _scale(self, sandbox: _Sandbox, service: ServiceSpec, count: int) -> None:
        present = [name for name, status in sandbox.replicas.items() if status.name == service.name]
        begun = service.start == "launch" and (service.given or sandbox.released)
        run = begun or any(sandbox.replicas[name].state is not ServiceState.WAITING for name in present)
        for name in present[count:]:
            del sandbox.replicas[name]
        for number in range(len(present) + 1, count + 1):
            network = 2 if service.segment == "back" and sandbox.spec.two_segments else 1
            address = f"10.98.{network}.{next(sandbox.addresses)}"
            status = ServiceStatus(service.name, number, ServiceState.WAITING, time.time(), address=address)
            sandbox.replicas[status.full_name] = status
            sandbox.logs[status.full_name] = b""
            if run:
                self._let_run(sandbox, status.full_name)
        sandbox.tell()

    def _let_run(self, sandbox: _Sandbox, name: str) -> None:
        if sandbox.failure and not _spec_of(sandbox, sandbox.replicas[name].name).given:
            _set(sandbox, name, ServiceState.FAILED, message=sandbox.failure)
        elif sandbox.replicas[name].state is ServiceState.WAITING:
            self._start(sandbox, name)

    def _sandbox(self, sandbox_id: str) -> _Sandbox:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise NoSuchSandbox()
        return sandbox

    def _replica(self, sandbox_id: str, service: str) -> tuple[_Sandbox, str]:
        sandbox = self._sandbox(sandbox_id)
        if not sandbox.alive:
            raise NoSuchSandbox(sandbox.reason)
        if service not in sandbox.replicas:
            raise NoSuchService(f"there is no service {service}")
        return sandbox, service


def _spec_of(sandbox: _Sandbox, service: str) -> ServiceSpec:
    for spec in sandbox.spec.services:
        if spec.name == service:
            return spec
    raise NoSuchService(f"there is no service {service}")


def _status(sandbox: _Sandbox) -> EngineStatus:
    services = tuple(replace(status, log_bytes=len(sandbox.logs[name])) for name, status in sandbox.replicas.items())
    ready = sandbox.alive and ready_as_a_whole(sandbox.spec, services)
    return EngineStatus(sandbox.spec.id, sandbox.alive, ready, services, (), sandbox.reason)


def _set(sandbox: _Sandbox, name: str, state: ServiceState, **changes: object) -> None:
    sandbox.replicas[name] = replace(sandbox.replicas[name], state=state, since=time.time(), **changes)  # type: ignore[arg-type]
    sandbox.tell()
