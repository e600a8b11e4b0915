"""What the prober may ask of the sandbox that it probes: faults, states and logs of its services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from app.errors import InvalidInput, PlatformError
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.record import ENDED
from app.sandbox.engine import Engine, NoSuchService
from app.sandbox.images.definition import ImageDefinition
from app.sandbox.model import SandboxSpec, ServiceStatus
from app.sandbox.prober.frames import Call

RESET_SECONDS = 20.0
_LOOK_AGAIN_SECONDS = 0.5


class Calls:
    """Answers the prober's calls on one sandbox."""

    def __init__(
        self, engine: Engine, spec: SandboxSpec, definition: Callable[[str], ImageDefinition], changes: Changes
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._definition = definition
        self._changes = changes
        self._restarts: dict[str, int] = {}
        self.touched: set[str] = set()  #: replicas that were stopped, killed, paused or restarted on the prober's behalf

    async def answer(self, call: Call) -> dict[str, Any]:
        """The reply to one call; what cannot be done is said in `error`, in English, for the author of the check."""
        try:
            return {"n": call.n, "ok": True, "value": await self._do(call)}
        except PlatformError as error:
            return {"n": call.n, "ok": False, "error": error.message}
        except TimeoutError:
            return {"n": call.n, "ok": False, "error": f"{call.op}: the engine did not answer in time"}

    async def _do(self, call: Call) -> Any:
        engine, sandbox = self._engine, self._spec.id
        match call.op:
            case "status":
                return [as_dict(status) for status in await self.statuses()]
            case "await_exit":
                return await self._await_exit(call.service, call.timeout)
            case "logs":
                chunk = await engine.logs(sandbox, call.service, call.offset)
                return {"text": chunk.data.decode("utf-8", "replace"), "offset": chunk.offset + len(chunk.data)}
            case "reset":
                return await self.reset(call.service)
            case "scale":
                return await engine.scale(sandbox, call.service, call.replicas)
            case _:
                await self._remember(call.service)
                action = engine.stop_service if call.op == "stop" else getattr(engine, call.op)
                return await action(sandbox, call.service)

    async def statuses(self) -> tuple[ServiceStatus, ...]:
        """All replicas as they are now."""
        return (await self._engine.status(self._spec.id)).services

    async def reset(self, service: str) -> None:
        """Bring a given service back to a clean state: by its image's `reset`, else by a restart.

        Raises:
            InvalidInput: the service is the learner's.
            PlatformError: the reset command failed.
        """
        spec = next((s for s in self._spec.services if s.name == service and s.given), None)
        if spec is None:
            raise InvalidInput(f"`{service}` is not a given service.")
        argv = self._definition(spec.image).reset
        if not argv:
            return await self._engine.restart(self._spec.id, service)
        result = await self._engine.exec(self._spec.id, service, argv, timeout=RESET_SECONDS)
        if result.timed_out or result.exit_code:
            said = (result.stderr or result.stdout).decode("utf-8", "replace").strip()[-300:] or f"exit code {result.exit_code}"
            raise PlatformError(f"The reset of `{service}` failed: {said}", code="reset-failed")
        return None

    async def _remember(self, service: str) -> None:
        """An exit is told from an earlier one by the restarts that were counted before the fault."""
        self._restarts[service] = (await self._status(service)).restarts
        self.touched.add(service)

    async def _await_exit(self, service: str, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        with self._changes.subscribe(self._spec.id, begin_with=[self._spec.id]) as changes:
            while True:
                status = await self._status(service)
                if status.state in ENDED or status.restarts > self._restarts.get(service, status.restarts):
                    return {"exit_code": status.exit_code, "signal": status.signal}
                left = deadline - time.monotonic()
                if left <= 0:
                    return {"timeout": True}
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.next(), min(left, _LOOK_AGAIN_SECONDS))

    async def _status(self, service: str) -> ServiceStatus:
        for status in await self.statuses():
            if status.full_name == service:
                return status
        raise NoSuchService(f"There is no service `{service}`.")


def as_dict(status: ServiceStatus) -> dict[str, Any]:
    """A replica as the kit sees it."""
    return {
        "name": status.name,
        "full_name": status.full_name,
        "replica": status.replica,
        "state": status.state,
        "since": status.since,
        "exit_code": status.exit_code,
        "signal": status.signal,
        "restarts": status.restarts,
        "out_of_memory": status.out_of_memory,
        "message": status.message,
        "log_bytes": status.log_bytes,
    }
