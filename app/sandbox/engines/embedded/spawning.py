"""Starts the spawner and speaks with it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.sandbox.engine import EngineError
from app.sandbox.engines.embedded.bare import wire
from app.sandbox.engines.embedded.channel import Channel
from app.sandbox.engines.embedded.install import Installed, install

_HERE = Path(__file__).parent


class Occupied(EngineError):
    """Another process owns this SOTY_HOME."""

    code = "engine-occupied"


@dataclass(slots=True)
class SpawnerHandle:
    """A running spawner. It ends, and all pods with it, when `control` is closed or this process dies."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    lock: int
    installed: Installed

    def close(self, timeout: float = 10.0) -> None:
        """End all pods and the spawner, release the instance lock. Idempotent."""
        self.control.close()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def start_spawner(home: Path) -> SpawnerHandle:
    """Take the instance lock of `home` (SOTY_HOME), install what pods need, start the spawner.

    To be called by `sandboxd` before it imports grpc. Blocks for a moment.

    Raises:
        Occupied: another instance runs on this `home`.
        EngineRefused: bubblewrap is missing.
    """
    folder = home / "embedded"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise Occupied("Another sandboxd already runs on this SOTY_HOME.", cure="Stop it, or use another SOTY_HOME.") from None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        installed = install(folder)
        config = {"tools": str(installed.tools), "bare": str(installed.bare), "instance": installed.instance}
        code = "import sys; sys.path.insert(0, sys.argv.pop()); from bare.spawner.main import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code, str(theirs.fileno()), str(lock), json.dumps(config), str(_HERE)],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(), lock),
            env={},
            cwd="/",
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        os.close(lock)
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    return SpawnerHandle(process, ours, lock, installed)


@dataclass(frozen=True, slots=True)
class Spawned:
    """A pod that has just been started."""

    control: socket.socket
    service_uid: int
    member_uid: int
    grouped: bool


@dataclass(frozen=True, slots=True)
class SpawnerPowers:
    """What the spawner found out about itself. `groups` is the cgroup version, 0 without."""

    pod_uids: bool
    groups: int
    unsafe: str


class Spawner:
    """The asyncio side of one spawner; lives on one event loop."""

    def __init__(self, handle: SpawnerHandle, on_gone: Callable[[str, str], None]) -> None:
        self._handle = handle
        self._on_gone = on_gone
        self._powers: asyncio.Future[SpawnerPowers] = asyncio.get_running_loop().create_future()
        self._channel = Channel(handle.control, self._event, self._ended)

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return not self._channel.closed

    async def powers(self) -> SpawnerPowers:
        """What it may do."""
        return await asyncio.wait_for(asyncio.shield(self._powers), 10)

    async def spawn(
        self, pod: str, images: Mapping[str, str], agent_root: str, *, memory_mb: int, cpus: float, pids: int
    ) -> Spawned:
        """Start a pod; its agent will say hello on the control socket."""
        packet = await self._channel.call(
            "spawn",
            timeout=10,
            pod=pod,
            images=dict(images),
            agent_root=agent_root,
            memory_mb=memory_mb,
            cpus=cpus,
            pids=pids,
        )
        control = socket.socket(fileno=packet.fds.pop())
        control.setblocking(False)
        header = packet.header
        return Spawned(control, header["service_uid"], header["member_uid"], header["grouped"])

    async def kill(self, pod: str) -> None:
        """End a pod; returns when nothing of it is left. Idempotent."""
        await self._channel.call("kill", timeout=10, pod=pod)

    async def reap(self) -> int:
        """Remove groups that dead instances left."""
        packet = await self._channel.call("reap", timeout=10)
        return int(packet.header["removed"])

    def close(self) -> None:
        """Stop listening; the handle ends the process."""
        self._channel.close()

    def _event(self, packet: wire.Packet) -> None:
        header: dict[str, Any] = packet.header
        if header.get("event") == "hello" and not self._powers.done():
            self._powers.set_result(SpawnerPowers(header["pod_uids"], header["groups"], header["unsafe"]))
        elif header.get("event") == "gone":
            self._on_gone(header["pod"], header["stderr"])

    def _ended(self) -> None:
        if not self._powers.done():
            self._powers.set_exception(EngineError("The spawner has ended.", code="engine-gone"))
