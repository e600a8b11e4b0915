"""The embedded engine: sandboxes as bubblewrap pods, without Docker and without root."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from app.sandbox.engine import EngineError, EngineRefused, NoSuchSandbox
from app.sandbox.engines.embedded import doctor, seccomp
from app.sandbox.engines.embedded.bare import wire
from app.sandbox.engines.embedded.channel import Gone
from app.sandbox.engines.embedded.guests import EmbeddedMember, EmbeddedTerminal, open_pipes
from app.sandbox.engines.embedded.install import compile_agent
from app.sandbox.engines.embedded.refusal import refusal
from app.sandbox.engines.embedded.sandbox import Sandbox
from app.sandbox.engines.embedded.setup import Images, Setup, limit_facts, service_facts
from app.sandbox.engines.embedded.spawning import Spawner, SpawnerHandle, start_spawner
from app.sandbox.engines.validation import InvalidSpec, check_environment, check_files, check_member, check_spec
from app.sandbox.model import (
    DoctorReport,
    EngineStatus,
    ExecResult,
    LogChunk,
    MemberSpec,
    SandboxSpec,
)

AGENT_IMAGE = "agent"
_LOG_CHUNK = 64 << 10


class EmbeddedEngine:
    """See `app.sandbox.engine.Engine`. Lives on one event loop.

    Args:
        home: SOTY_HOME.
        images: where roots come from; `agent` must be among them.
        spawner: started before threads were; without it one is started at the first use.
    """

    name = "embedded"

    def __init__(self, home: Path, images: Images, spawner: SpawnerHandle | None = None) -> None:
        self._home = home
        self._images = images
        self._handle = spawner
        self._spawner: Spawner | None = None
        self._sandboxes: dict[str, Sandbox] = {}
        self._launching: dict[str, asyncio.Task[None]] = {}
        self._launched = 0
        self._compiling = asyncio.Lock()

    async def doctor(self) -> DoctorReport:
        """See `Engine`."""
        return await doctor.examine(self)

    async def launch(self, spec: SandboxSpec) -> None:
        """See `Engine`."""
        check_spec(spec)
        if spec.id in self._sandboxes and self._sandboxes[spec.id].alive:
            return
        task = self._launching.get(spec.id)
        if task is None:
            task = asyncio.create_task(self._launch(spec))
            self._launching[spec.id] = task
            task.add_done_callback(lambda _: self._launching.pop(spec.id, None))
        await asyncio.shield(task)

    async def _launch(self, spec: SandboxSpec) -> None:
        await self.stop(spec.id, _launching=True)  # what is left of an earlier one that died
        images = {
            name: self._images.require(name) for name in {*spec.member_images, *(service.image for service in spec.services)}
        }
        # What a pod can mount is settled at its start: images of guests that may come later are shown to it from then on.
        shown = {name: str(image.root) for name, image in images.items()}
        agent_root = str(self._images.require(AGENT_IMAGE).root)
        spawner = self.spawner()
        powers = await spawner.powers()
        if powers.unsafe:
            raise EngineRefused(powers.unsafe, cure="Start Soty as an ordinary user, or as root with CAP_SETUID.")
        self._launched += 1
        async with self._compiling:
            await compile_agent(self.handle.installed, Path(agent_root))
        try:
            spawned = await spawner.spawn(
                spec.id,
                shown,
                agent_root,
                memory_mb=spec.memory_mb,
                cpus=spec.cpus,
                pids=spec.pids,
            )
        except BaseException:  # given up before the answer came: the pod may be there all the same
            with suppress(Gone):
                await spawner.kill(spec.id)
            raise
        sandbox = Sandbox(spec, spawned.control, frozenset(shown))
        self._sandboxes[spec.id] = sandbox
        services = [service_facts(service, images[service.image].definition) for service in spec.services]
        setup = Setup(
            spec,
            services,
            spawned.service_uid,
            spawned.member_uid,
            spawned.grouped,
            seccomp.build(),
            self._launched,
        )
        try:
            await sandbox.open(setup)
        except BaseException as error:
            del self._sandboxes[spec.id]
            await spawner.kill(spec.id)
            sandbox.close()
            if isinstance(error, Gone):
                raise refusal(sandbox.reason, bwrap=self.handle.installed.bwrap) from None
            if isinstance(error, TimeoutError):
                raise EngineError("The pod did not start within 20 s.", code="engine-timeout") from None
            raise

    def spawner(self) -> Spawner:
        """The connection to the spawner.

        Raises:
            EngineError: it has ended; everything that ran has ended with it.
        """
        if self._spawner is None:
            if self._handle is None:
                self._handle = start_spawner(self._home)
            self._spawner = Spawner(self._handle, self._pod_gone)
        if not self._spawner.alive:
            raise EngineError("The spawner has ended; sandboxd must be restarted.", code="engine-gone")
        return self._spawner

    @property
    def handle(self) -> SpawnerHandle:
        """The spawner's process; for the doctor."""
        self.spawner()
        assert self._handle is not None
        return self._handle

    async def release(self, sandbox_id: str, failure: str = "") -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("release", failure=failure)

    async def status(self, sandbox_id: str) -> EngineStatus:
        """See `Engine`."""
        return await self._sandbox(sandbox_id).status()

    async def watch(self, sandbox_id: str) -> AsyncIterator[EngineStatus]:
        """See `Engine`."""
        async for status in self._sandbox(sandbox_id).watch():
            yield status

    async def logs(self, sandbox_id: str, service: str, offset: int = 0, limit: int = _LOG_CHUNK) -> LogChunk:
        """See `Engine`."""
        limit = min(max(limit, 0), _LOG_CHUNK)
        packet = await self._sandbox(sandbox_id).call("logs", service=service, offset=max(0, offset), limit=limit)
        return LogChunk(service, max(0, offset), packet.body, packet.header["dropped"])

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
        """See `Engine`."""
        check_environment(env or {})
        packet = await self._sandbox(sandbox_id).call(
            "exec",
            service=service,
            argv=list(argv),
            env=dict(env or {}),
            body=stdin,
            timeout=timeout + 5,
            seconds=timeout,
        )
        split = packet.header["split"]
        return ExecResult(packet.header["code"], packet.body[:split], packet.body[split:], packet.header["timed_out"])

    async def terminal(
        self, sandbox_id: str, service: str, argv: Sequence[str] = (), *, rows: int = 24, cols: int = 80
    ) -> EmbeddedTerminal:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        packet = await sandbox.call("terminal", service=service, argv=list(argv))
        number = packet.header["terminal"]

        async def hang_up() -> None:
            with suppress(NoSuchSandbox):
                await sandbox.call("hang-up", terminal=number)

        master = packet.fds.pop()
        os.set_blocking(master, False)
        terminal = EmbeddedTerminal(master, hang_up)
        terminal.resize(rows, cols)
        return terminal

    async def dial(self, sandbox_id: str, service: str, port: int, *, timeout: float = 2.0) -> socket.socket:
        """See `Engine`."""
        packet = await self._sandbox(sandbox_id).call("dial", service=service, port=port, timeout=timeout + 3, seconds=timeout)
        if not packet.fds:
            raise ConnectionError(f"{service}:{port}: {packet.header.get('refused', 'refused')}")
        connected = socket.socket(fileno=packet.fds.pop())
        connected.settimeout(None)
        return connected

    async def attach(self, sandbox_id: str, member: MemberSpec) -> EmbeddedMember:
        """See `Engine`."""
        sandbox = self._sandbox(sandbox_id)
        check_member(member, sandbox.spec)
        present = sandbox.members.get(member.name)
        if present is not None and present.running:
            raise EngineError(f"A member {member.name} runs already.", code="member-exists")
        if sandbox.has_stand_in(member.stands_for):
            raise EngineError(f"Another member stands for {member.stands_for}.", code="member-exists")
        if member.image not in sandbox.images:
            raise InvalidSpec(f"The sandbox was launched without {member.image} among its member images.")
        definition = self._images.require(member.image).definition
        stdin, stdout, their_stdin, their_stdout = await open_pipes()

        async def kill() -> None:
            with suppress(NoSuchSandbox):
                await sandbox.call("dismiss", member=member.name)

        async def stderr() -> bytes:
            return (await sandbox.call("stderr", member=member.name)).body

        guest = EmbeddedMember(stdin, stdout, kill, stderr, member.stands_for)
        sandbox.members[member.name] = guest
        facts = {
            "name": member.name,
            "image": member.image,
            "command": list(member.command),
            "env": dict(member.env),
            "image_env": dict(definition.env),
            "user": definition.user,
            "limits": limit_facts(member.limits),
            "stands_for": member.stands_for,
        }
        try:
            body = wire.pack_files(dict(member.files))
            await sandbox.call("attach", member=facts, body=body, fds=(their_stdin, their_stdout))
        except BaseException:
            guest.ended(-9)
            raise
        finally:
            os.close(their_stdin)
            os.close(their_stdout)
        return guest

    async def put(self, sandbox_id: str, files: Mapping[str, bytes], *, replace: bool = True) -> str:
        """See `Engine`."""
        check_files(files)
        return await self._sandbox(sandbox_id).put(files, replace=replace)

    async def get(self, sandbox_id: str, service: str, path: str, *, limit: int = 1 << 20) -> bytes:
        """See `Engine`."""
        root, _, rest = path.lstrip("/").partition("/")
        if root not in ("workspace", "data") or not rest or "\0" in rest:
            raise InvalidSpec("Only files below /workspace and /data can be read.")
        packet = await self._sandbox(sandbox_id).call("get", service=service, root=root, path=rest, limit=limit)
        return packet.body

    async def start(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("start", service=service)

    async def stop_service(self, sandbox_id: str, service: str, *, grace: float = 3.0) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("stop", service=service, grace=grace, timeout=grace + 5)

    async def kill(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("kill", service=service)

    async def restart(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("restart", service=service)

    async def pause(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("pause", service=service)

    async def resume(self, sandbox_id: str, service: str) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("resume", service=service)

    async def scale(self, sandbox_id: str, service: str, replicas: int) -> None:
        """See `Engine`."""
        await self._sandbox(sandbox_id).call("scale", service=service, replicas=replicas)

    async def stop(self, sandbox_id: str, *, _launching: bool = False) -> None:
        """See `Engine`."""
        task = None if _launching else self._launching.get(sandbox_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is not None:
            with suppress(Gone):  # without its spawner no pod lives
                if self._spawner is not None:
                    await self._spawner.kill(sandbox_id)
            sandbox.close("stopped")

    async def list(self) -> Sequence[str]:
        """See `Engine`."""
        return [name for name, sandbox in self._sandboxes.items() if sandbox.alive]

    async def reap(self) -> int:
        """See `Engine`."""
        return await self.spawner().reap()

    async def close(self) -> None:
        """See `Engine`."""
        for task in [*self._launching.values()]:
            task.cancel()
        for sandbox in self._sandboxes.values():
            sandbox.close("stopped")
        self._sandboxes.clear()
        if self._spawner is not None:
            self._spawner.close()
        if self._handle is not None:
            await asyncio.to_thread(self._handle.close)

    def _sandbox(self, sandbox_id: str) -> Sandbox:
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise NoSuchSandbox(f"There is no sandbox {sandbox_id[:64]}.")
        return sandbox

    def _pod_gone(self, pod: str, stderr: str) -> None:
        sandbox = self._sandboxes.get(pod)
        if sandbox is not None:
            sandbox.close(stderr or "its isolation ended")
