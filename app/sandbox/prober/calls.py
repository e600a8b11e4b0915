"""What the prober may ask of the sandbox that it probes: faults, states and logs of its services, and its taps."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

from app.errors import InvalidInput, NotFound, PlatformError
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.given import Given
from app.sandbox.daemon.record import Record
from app.sandbox.engine import Engine, NoSuchService
from app.sandbox.model import ENDED, ServiceStatus
from app.sandbox.prober.frames import Call
from app.sandbox.taps.supervisor import Taps

_LOOK_AGAIN_SECONDS = 0.5


class Calls:
    """Answers the prober's calls on one sandbox."""

    def __init__(self, engine: Engine, record: Record, given: Given, changes: Changes) -> None:
        self._engine = engine
        self._record = record
        self._given = given
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
        engine, sandbox = self._engine, self._record.id
        match call.op:
            case "status":
                return [as_dict(status) for status in await self.statuses()]
            case "await_exit":
                return await self._await_exit(call.service, call.timeout)
            case "logs":
                chunk = await engine.logs(sandbox, call.service, call.offset)
                return {"text": chunk.data.decode("utf-8", "replace"), "offset": chunk.offset + len(chunk.data)}
            case "reset":
                await self._given.reset(self._record, call.service)
                return await self._set_up(call.service)
            case "scale":
                return await engine.scale(sandbox, call.service, call.replicas)
            case "start" | "stop" | "kill" | "pause" | "resume" | "restart":
                return await self._act(call.op, call.service)
            case _:
                return await self._ask_taps(call, self._taps)

    async def _act(self, op: str, service: str) -> None:
        await self._remember(service)
        engine = self._engine
        action = engine.stop_service if op == "stop" else getattr(engine, op)
        await action(self._record.id, service)
        if op == "restart":
            await self._set_up(service)

    @property
    def _taps(self) -> Taps:
        if self._record.taps is None:
            raise NotFound("This exercise has no edges, so it has no taps.", code="no-such-edge")
        return self._record.taps

    async def _ask_taps(self, call: Call, taps: Taps) -> Any:
        rule = call.rule
        match call.op:
            case "tap_arm" if isinstance(rule, dict):
                return {"rule": await taps.arm(call.upstream, rule, self._take_step)}
            case "tap_disarm" if isinstance(rule, str):
                return await taps.disarm(rule) if rule else await taps.disarm_all(call.upstream)
            case "tap_await" if isinstance(rule, str):
                fired, seen = await taps.reach(rule, call.count, call.timeout)
                return {"fired": fired, "events": seen}
            case "tap_trace":
                return (await taps.trace(call.after))._asdict()
            case "tap_mark":
                return {"seq": await taps.mark()}
            case "tap_cut":
                return await taps.cut(call.upstream, call.client)
        raise InvalidInput(f"`rule` of {call.op} is {'an object' if call.op == 'tap_arm' else 'the id of a rule'}.")

    async def _take_step(self, do: str, service: str, seconds: float) -> None:
        """A step of a compound rule."""
        if do != "await_exit":
            await self._act(do, service)
        elif "timeout" in await self._await_exit(service, seconds):
            raise PlatformError(f"`{service}` does not end.", code="no-exit")

    async def statuses(self) -> tuple[ServiceStatus, ...]:
        """All replicas as they are now."""
        return (await self._engine.status(self._record.id)).services

    async def _set_up(self, service: str) -> None:
        """A given service that has started empty gets what it had before."""
        if self._record.init_path(service) is not None and (wrong := await self._given.set_up(self._record, [service])):
            raise PlatformError(wrong, code="init-failed")

    async def _remember(self, service: str) -> None:
        """An exit is told from an earlier one by the restarts that were counted before the fault."""
        self._restarts[service] = (await self._status(service)).restarts
        self.touched.add(service)

    async def _await_exit(self, service: str, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        with self._changes.subscribe(self._record.id, begin_with=[self._record.id]) as changes:
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
