"""What people may do with the services of a sandbox that is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from app.errors import Conflict, InvalidInput
from app.sandbox.daemon import specification
from app.sandbox.daemon.record import Record
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.engine import NoSuchService
from app.sandbox.model import LogChunk, ServiceState

MAX_REPLICAS = 4


class Services:
    """Changes and looks at services; every change counts as use.

    Every method raises `NotFound` for an unknown sandbox and `NoSuchService` for an unknown service; changes raise `Conflict`
    while the sandbox is not ready or checks run in it.
    """

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._engine = sandboxes.engine

    async def apply(self, sandbox_id: str, files: Mapping[str, bytes], *, restart: bool, services: Sequence[str]) -> Record:
        """Put a new workspace; with `restart`, restart the named services (none named: the learner's that were started).

        Where the file that a given service is set up with has changed, that service starts clean with the new one, and all
        the learner's services that were started are restarted; when the file is wrong, they have failed.
        """
        record = self._sandboxes.ready(sandbox_id)
        assert record.loaded is not None
        merged = specification.workspace(record.loaded, files)
        started = [s.full_name for s in record.services if not record.is_given(s.name) and s.state is not ServiceState.WAITING]
        targets = [self._replica(record, name) for name in services or started] if restart else []
        async with self._change(record):
            record.revision, record.files = await self._engine.put(sandbox_id, merged), merged
            outdated = self._sandboxes.given.outdated(record) if restart else []
            if outdated:
                targets = [*started, *(name for name in targets if name not in started)]
            if not await self._set_up_anew(record, outdated):
                await asyncio.gather(*(self._engine.restart(sandbox_id, name) for name in targets))
        return record

    async def _set_up_anew(self, record: Record, names: Sequence[str]) -> str:
        """Clean these given services and set them up; why the learner's services must not run now, if they must not."""
        if not names:
            return ""
        given = self._sandboxes.given
        await asyncio.gather(*(given.reset(record, name) for name in names))
        failure = await given.set_up(record, names)
        await self._engine.release(record.id, failure)
        return failure

    async def control(self, sandbox_id: str, service: str, action: str, replicas: int = 0) -> Record:
        """Do one thing to one service.

        Args:
            action: start, stop, kill, pause, resume, restart or scale (`replicas`, 0..4, by the service's plain name).
        """
        record = self._sandboxes.ready(sandbox_id)
        engine = self._engine
        actions = {
            "start": engine.start,
            "stop": engine.stop_service,
            "kill": engine.kill,
            "pause": engine.pause,
            "resume": engine.resume,
            "restart": engine.restart,
        }
        if action == "scale":
            spec = record.service(service)
            if spec is None:
                raise NoSuchService(f"There is no service `{service[:40]}`.")
            if spec.given or not 0 <= replicas <= MAX_REPLICAS:
                raise InvalidInput(f"Your own services can be scaled, from 0 to {MAX_REPLICAS}.", code="cannot-scale")
            async with self._change(record):
                await engine.scale(sandbox_id, service, replicas)
            return record
        if action not in actions:
            raise InvalidInput(f"A service can be: {', '.join((*actions, 'scale'))}.", code="unknown-action")
        name = self._replica(record, service)
        async with self._change(record):
            await actions[action](sandbox_id, name)
            if action == "restart" and record.init_path(name) is not None:
                await self._engine.release(sandbox_id, await self._sandboxes.given.set_up(record, [name]))
        return record

    async def logs(self, sandbox_id: str, service: str, offset: int, limit: int) -> LogChunk:
        """A piece of a replica's kept output."""
        record = self._sandboxes.get(sandbox_id)
        if record.status is None:
            raise Conflict(f"The sandbox is {record.state}.", code="sandbox-not-ready", details={"state": record.state})
        return await self._engine.logs(sandbox_id, self._replica(record, service), offset, limit)

    def _replica(self, record: Record, name: str) -> str:
        if all(status.full_name != name for status in record.services):
            raise NoSuchService(f"There is no service `{name[:40]}`.")
        return name

    @asynccontextmanager
    async def _change(self, record: Record) -> AsyncIterator[None]:
        """Hold a record while its services are changed; checks that run have it for themselves."""
        if record.checks_running:
            raise Conflict("Checks are running in this sandbox; wait until they end.", code="checks-running")
        async with record.busy:
            yield
        self._sandboxes.changes.publish(record.id)
