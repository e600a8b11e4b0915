"""Before a trial: everything as after a launch. After it: nothing broken that its faults broke."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress

from app.errors import PlatformError
from app.sandbox.daemon.life import START_SECONDS
from app.sandbox.daemon.record import Record
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.model import ENDED, ServiceState, ServiceStatus
from app.sandbox.prober.calls import Calls
from app.sandbox.prober.frames import ProberFault

log = logging.getLogger(__name__)
_LOOK_AGAIN_SECONDS = 0.5


class CleanState:
    """Makes sandboxes clean, and puts them back."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._engine = sandboxes.engine

    async def make(self, record: Record, calls: Calls, files: Mapping[str, bytes]) -> None:
        """A clean state: given services first, then the learner's on the new workspace; manual ones wait again."""
        assert record.spec is not None
        if record.taps is not None:
            await record.taps.disarm_all()
        record.revision, record.files = await self._engine.put(record.id, files), files
        statuses = {status.full_name: status for status in await calls.statuses()}
        for service in record.spec.services:
            if len([s for s in statuses.values() if s.name == service.name]) != service.replicas:
                await self._engine.scale(record.id, service.name, service.replicas)
        # Whatever runs of the learner's would write into services that are being cleaned.
        learners = {service.name for service in record.spec.services if not service.given}
        present = [status for status in await calls.statuses() if status.name in learners]
        running = [status.full_name for status in present if status.state not in (*ENDED, ServiceState.WAITING)]
        await asyncio.gather(*(self._engine.stop_service(record.id, name, grace=0.0) for name in running))
        given = [service.name for service in record.spec.services if service.given]
        await asyncio.gather(*(self._sandboxes.given.reset(record, name) for name in given))
        await self._wait_settled(record)
        failure = await self._sandboxes.given.set_up(record)
        await self._engine.release(record.id, failure)
        if not failure:
            starting = [status.full_name for status in present if record.starts_at_launch(status.name)]
            await asyncio.gather(*(self._engine.restart(record.id, name) for name in starting))
        await self._wait_settled(record)

    async def _wait_settled(self, record: Record) -> None:
        """Wait until the engine's own word, not one that was sent before the reset, says that all is well."""
        deadline = time.monotonic() + START_SECONDS
        with self._sandboxes.changes.subscribe(record.id) as changes:
            while True:
                record.status = await self._engine.status(record.id)
                if self._sandboxes.life.settled(record):
                    return
                if time.monotonic() > deadline:
                    raise ProberFault("The sandbox did not become ready again after its reset.")
                with suppress(TimeoutError):
                    await asyncio.wait_for(changes.next(), _LOOK_AGAIN_SECONDS)

    async def put_back(self, record: Record, before: Sequence[ServiceStatus], touched: Set[str]) -> None:
        """Undo what faults left behind, so that the learner finds the sandbox as it was.

        A service that ended without our doing stays ended: the learner wants to see that.
        """
        assert record.spec is not None
        try:
            now = {s.full_name: s for s in (await self._engine.status(record.id)).services}
            for service in record.spec.services:
                replicas = sum(s.name == service.name for s in before)
                if replicas != sum(s.name == service.name for s in now.values()):
                    await self._engine.scale(record.id, service.name, replicas)
            for old in (s for s in before if s.full_name in touched and s.full_name in now):
                state = now[old.full_name].state
                if state is ServiceState.PAUSED and old.state is not ServiceState.PAUSED:
                    await self._engine.resume(record.id, old.full_name)
                elif state in ENDED and old.state not in (*ENDED, ServiceState.WAITING):
                    await self._engine.start(record.id, old.full_name)
        except PlatformError as error:
            log.warning("sandbox %s could not be put back: %s", record.id, error.message)
