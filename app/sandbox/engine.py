"""The contract between `sandboxd` and whatever runs sandboxes. The docstrings are the contract.

Every implementation lives in `engines/` and passes `tests/contract/test_engine.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from app.errors import PlatformError
from app.sandbox.model import DoctorReport, EngineStatus, ExecResult, LogChunk, MemberSpec, SandboxSpec


class EngineError(PlatformError):
    """The engine could not do what was asked; a platform fault, never the learner's."""

    code = "engine-error"


class EngineRefused(EngineError):
    """Isolation is missing on this machine, so nothing is run; the message holds the cure."""

    code = "engine-refused"


class NoSuchSandbox(EngineError):
    """The engine runs no sandbox of this id."""

    code = "no-such-sandbox"


class NoSuchService(EngineError):
    """The sandbox has no such service or replica."""

    code = "no-such-service"


class NoSuchFile(EngineError):
    """There is no such regular file in the service, or it is larger than asked for."""

    code = "no-such-file"


class Terminal(Protocol):
    """A pseudo-terminal inside a service; closing it ends the shell and everything it started."""

    def fileno(self) -> int: ...

    def resize(self, rows: int, cols: int) -> None:
        """Rows and columns are clamped to 1..500."""

    async def close(self) -> None: ...


class Member(Protocol):
    """A running guest (the prober, a tap). Only the platform holds its two pipes."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    async def wait(self) -> int:
        """Wait for its end; return the exit code (negative: a signal)."""

    async def stderr_tail(self) -> bytes:
        """The last 16 KiB it wrote to stderr; for operators, never for learners."""

    async def kill(self) -> None:
        """End it and everything it started. Idempotent."""


class Engine(Protocol):
    """Runs sandboxes.

    All methods are coroutines and may be called concurrently from one event loop. Each one returns or raises within its
    timeout: 60 s for `launch`, 15 s for `stop`, 5 s for the rest unless an argument says otherwise. An engine never blocks
    the loop. Unknown sandboxes raise `NoSuchSandbox`, unknown services `NoSuchService`, everything else that goes wrong on
    the platform's side raises `EngineError`. What learner code does (exit, crash, flood, hang) is state, never an exception.
    A service is named `worker` or, for its n-th replica (n >= 2), `worker-n`.
    """

    name: str

    async def doctor(self) -> DoctorReport:
        """Probe this machine by really running a nested probe sandbox. Cached by the caller, not by the engine."""

    async def launch(self, spec: SandboxSpec) -> None:
        """Create the sandbox and start its given services; return once the isolation stands (they may still be starting).

        The learner's services wait for `release`, so that guests can take their places before.
        Idempotent by `spec.id`: a second call for a living sandbox does nothing. A failed launch leaves nothing behind.

        Raises:
            EngineRefused: isolation is missing.
        """

    async def release(self, sandbox_id: str, failure: str = "") -> None:
        """Let the learner's services with `start: launch` run: those that wait are started. Idempotent.

        With a `failure` (what they need could not be set up) they must not run: whatever state they are in, they become
        `failed` with this message, as do replicas that are added, until the next release, start or restart.
        """

    async def status(self, sandbox_id: str) -> EngineStatus:
        """What is true now. `ready` means: every service with `start: launch` and `restart: always`, or still running, is
        ready or has ended well; a manual or an ended one does not keep the sandbox from `ready`."""

    async def logs(self, sandbox_id: str, service: str, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Kept output of one replica (stdout and stderr in the order written) from `offset`; empty data when there is none."""

    def watch(self, sandbox_id: str) -> AsyncIterator[EngineStatus]:
        """Yield a status now and after every change (state, exit, events), at most 20 per second; ends when it is gone."""

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
        """Run a command inside a running replica, with its namespaces, limits, user and filter."""

    async def terminal(
        self, sandbox_id: str, service: str, argv: Sequence[str] = (), *, rows: int = 24, cols: int = 80
    ) -> Terminal:
        """Open a shell (the image's, unless `argv`) on a terminal inside a running replica."""

    async def dial(self, sandbox_id: str, service: str, port: int, *, timeout: float = 2.0) -> socket.socket:
        """A connected, blocking TCP socket to a port of a replica. Refusals raise `ConnectionError`."""

    async def attach(self, sandbox_id: str, member: MemberSpec) -> Member:
        """Start a guest of the platform on every segment; at most one of a name at a time.

        While it lives, the service that it `stands_for` resolves to it on the front segment; one guest per service.

        Raises:
            EngineError: `invalid-spec`: it stands for something else than a service of the back segment.
        """

    async def put(self, sandbox_id: str, files: Mapping[str, bytes], *, replace: bool = True) -> str:
        """Write the workspace (all of it when `replace`), atomically per file; return its revision hash.

        Running services keep running on what they have loaded; a restarted one sees the new files.
        """

    async def get(self, sandbox_id: str, service: str, path: str, *, limit: int = 1 << 20) -> bytes:
        """Read one regular file below /workspace or /data of a replica; links are not followed.

        Raises:
            NoSuchFile: there is none, it is something else than a regular file, or larger than `limit`.
        """

    async def start(self, sandbox_id: str, service: str) -> None:
        """Start a waiting, ended or stopped replica; nothing happens to a running one."""

    async def stop_service(self, sandbox_id: str, service: str, *, grace: float = 3.0) -> None:
        """SIGTERM, then SIGKILL after `grace`; it is not restarted."""

    async def kill(self, sandbox_id: str, service: str) -> None:
        """SIGKILL every process of the replica at once; `restart: always` then restarts it."""

    async def restart(self, sandbox_id: str, service: str) -> None:
        """Stop (no grace) and start on the present workspace; /data is emptied, restart counters are reset."""

    async def pause(self, sandbox_id: str, service: str) -> None:
        """Freeze every process of the replica; its sockets stay open."""

    async def resume(self, sandbox_id: str, service: str) -> None:
        """Undo `pause`."""

    async def scale(self, sandbox_id: str, service: str, replicas: int) -> None:
        """Have exactly this many replicas (0..8); new ones start, the last ones are killed."""

    async def stop(self, sandbox_id: str) -> None:
        """End the sandbox and everything in it, within 10 s, whatever it does. Idempotent; unknown ids are fine."""

    async def list(self) -> Sequence[str]:
        """Ids of the sandboxes that this engine instance runs."""

    async def reap(self) -> int:
        """Remove leftovers of instances whose lock is free (directories, cgroups, processes); return how many."""

    async def close(self) -> None:
        """Stop everything and release the instance lock."""
