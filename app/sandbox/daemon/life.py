"""The life of one sandbox: waits its turn, starts, runs, ends. One task per sandbox drives it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from app.errors import PlatformError
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.doctor import Doctor
from app.sandbox.daemon.given import Given
from app.sandbox.daemon.record import INIT_STAGE, ISOLATION_STAGE, QUEUED_STAGE, TAPS_STAGE, Ending, Record, Stage
from app.sandbox.daemon.usual import UsualTimes
from app.sandbox.engine import Engine
from app.sandbox.journal import Journal
from app.sandbox.model import EngineStatus, SandboxState, ServiceState
from app.sandbox.taps.supervisor import Taps

log = logging.getLogger(__name__)
LAUNCH_SECONDS = 65.0  #: a little more than the engine allows itself
STOP_SECONDS = 20.0
GIVEN_SECONDS = 60.0  #: learners' services do not wait longer for the given ones
START_SECONDS = 120.0  #: for the given services; then the sandbox has failed
LEARNER_PATIENCE_SECONDS = 30.0  #: a learner's service that does not answer by then no longer holds up the rest
_IN_PROGRESS = (ServiceState.PREPARING, ServiceState.STARTING)


@dataclass(frozen=True)
class Clock:
    """Durations come from `monotonic`, facts from `wall` (seconds since the epoch)."""

    monotonic: Callable[[], float] = field(default=time.monotonic)
    wall: Callable[[], float] = field(default=time.time)


class Life:
    """Drives records through their states; shared by all sandboxes of a daemon."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        changes: Changes,
        given: Given,
        taps: Callable[[Record], Taps | None],
        usual: UsualTimes,
        doctor: Doctor,
        engine_gone: asyncio.Event,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._changes = changes
        self._given = given
        self._taps = taps
        self._usual = usual
        self._doctor = doctor
        self._engine_gone = engine_gone
        self._clock = clock

    async def live(self, record: Record) -> None:
        """From `queued` to `gone`; returns when nothing of the sandbox is left. Every transition is journaled."""
        assert record.ending is not None
        running = asyncio.create_task(self._run(record), name=f"sandbox {record.id}")
        try:
            await asyncio.wait({running, record.ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        ending = record.ending.result() if record.ending.done() else running.result()
        if not record.ending.done():
            record.ending.set_result(ending)
        await self._end(record, ending)

    async def _run(self, record: Record) -> Ending:
        self._begin(record, QUEUED_STAGE)
        await record.admitted.wait()
        self._finish(record, QUEUED_STAGE)
        await self._move(record, SandboxState.STARTING)
        try:
            self._begin(record, ISOLATION_STAGE)
            async with asyncio.timeout(LAUNCH_SECONDS):
                assert record.spec is not None
                await self._engine.launch(record.spec)
            self._finish(record, ISOLATION_STAGE, remember=True)
            self._changes.publish(record.id)
            return await self._follow(record)
        except TimeoutError:
            return Ending("failed", "The engine did not start the sandbox in time.")
        except PlatformError as error:
            log.warning("sandbox %s: %s", record.id, error.message)
            self._doctor.doubt()
            if error.code == "engine-gone":
                self._engine_gone.set()
            return Ending("failed", error.message)
        except Exception as error:  # a fault of ours ends this sandbox, not the daemon
            log.exception("sandbox %s", record.id)
            return Ending("failed", f"sandboxd: {type(error).__name__}")

    async def _follow(self, record: Record) -> Ending:
        """Take over what the engine reports until the isolation is gone."""
        opening = asyncio.create_task(self._open(record), name=f"sandbox {record.id} opens")
        following = asyncio.create_task(self._take_statuses(record), name=f"sandbox {record.id} statuses")
        try:
            await asyncio.wait({opening, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done() and (failure := opening.result()) is not None:
                return failure
            return await following
        finally:
            opening.cancel()
            following.cancel()
            await asyncio.gather(opening, following, return_exceptions=True)

    async def _open(self, record: Record) -> Ending | None:
        """Set up what is ours, let the learner's services run, and wait until the sandbox can be used."""
        deadline = self._clock.monotonic() + START_SECONDS
        attaching = asyncio.create_task(self._attach_taps(record))
        setting_up = asyncio.create_task(self._set_up_given(record))
        try:
            await asyncio.gather(attaching, setting_up)
        finally:
            attaching.cancel()
            setting_up.cancel()
        await self._engine.release(record.id, setting_up.result())
        return await self._settle(record, deadline)

    async def _attach_taps(self, record: Record) -> None:
        if (taps := self._taps(record)) is not None:
            self._begin(record, TAPS_STAGE)
            await taps.attach()
            record.taps = taps
            taps.follow(record.services)
            self._finish(record, TAPS_STAGE, remember=True)

    async def _set_up_given(self, record: Record) -> str:
        """Why the learner's services must not run; empty: they may."""
        await self._given_answer(record)
        self._begin(record, INIT_STAGE)
        failure = await self._given.set_up(record)
        self._finish(record, INIT_STAGE, remember=True)
        return failure

    async def _given_answer(self, record: Record) -> None:
        """Programs that crash and restart until the broker answers would only slow its start; so they wait, for a while."""
        with suppress(TimeoutError), self._changes.subscribe(record.id) as changes:
            async with asyncio.timeout(GIVEN_SECONDS):
                while record.given_on_their_way:
                    await changes.next()

    async def _take_statuses(self, record: Record) -> Ending:
        reason = ""
        async for status in self._engine.watch(record.id):
            self._take(record, status)
            reason = status.reason
            if not status.alive:
                break
        return Ending("failed", reason or "The sandbox ended by itself.")

    def _take(self, record: Record, status: EngineStatus) -> None:
        record.status = status
        if record.taps is not None:
            record.taps.follow(status.services)
        if not record.revision:
            record.revision = next((s.files_revision for s in status.services if s.files_revision), "")
        for service in status.services:
            stage = record.stage(service.full_name)
            if stage is None:
                continue
            if service.state in _IN_PROGRESS and stage.began is None:
                stage.began = self._clock.monotonic()
            elif service.state not in (*_IN_PROGRESS, ServiceState.WAITING) and stage.ended is None:
                stage.began = stage.began if stage.began is not None else self._clock.monotonic()
                self._finish(record, service.full_name, remember=service.state is ServiceState.READY)
        self._changes.publish(record.id)

    async def _settle(self, record: Record, deadline: float) -> Ending | None:
        """Wait until the sandbox can be used, then start its clocks."""
        with self._changes.subscribe(record.id, begin_with=[record.id]) as changes:
            while not self.settled(record):
                if self._clock.monotonic() >= deadline:
                    late = ", ".join(record.unsettled(self._clock.wall(), LEARNER_PATIENCE_SECONDS)) or "the sandbox"
                    return Ending("failed", f"{late}: not ready within {START_SECONDS:.0f} s.")
                with suppress(TimeoutError):
                    # Patience runs out without any change, so look once a second as well.
                    await asyncio.wait_for(changes.next(), 1.0)
        if record.idle_seconds is not None:
            record.touched = self._clock.monotonic()
        await self._move(record, SandboxState.READY)
        return None

    def settled(self, record: Record) -> bool:
        """Whether checks and people can use the sandbox now."""
        if record.status is None or not record.status.alive:
            return False
        return record.status.ready or not record.unsettled(self._clock.wall(), LEARNER_PATIENCE_SECONDS)

    async def _end(self, record: Record, ending: Ending) -> None:
        await self._move(record, SandboxState.STOPPING, reason=ending.reason, message=ending.message)
        if record.taps is not None:
            await record.taps.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._engine.stop(record.id)
        except (PlatformError, TimeoutError) as error:
            # The engine's reaper finds what is left; the learner must not wait for it.
            log.error("sandbox %s could not be stopped: %r", record.id, error)
        record.status = None
        await self._move(record, SandboxState.GONE, reason=ending.reason, message=ending.message)
        await self._usual.save()

    async def _move(self, record: Record, state: SandboxState, *, reason: str = "", message: str = "") -> None:
        now = self._clock.wall()
        entry = replace(record.entry, state=state, reason=reason, message=message)
        if state is SandboxState.READY:
            entry = replace(entry, ready_at=now)
            record.expires = self._clock.monotonic() + record.ttl_seconds
        elif state is SandboxState.GONE:
            entry = replace(entry, ended_at=now)
        record.entry = entry
        self._changes.publish(record.id)
        try:
            await self._journal.write(entry)
        except OSError as error:
            # The intent is on the disk already: a lost step costs accuracy after a crash, never a pod.
            log.error("journal: %s: %s", record.id, error)

    def _begin(self, record: Record, name: str) -> None:
        if (stage := record.stage(name)) is not None:
            stage.began = self._clock.monotonic()
        self._changes.publish(record.id)

    def _finish(self, record: Record, name: str, *, remember: bool = False) -> None:
        stage = record.stage(name)
        if stage is None or stage.ended is not None:
            return
        stage.ended = self._clock.monotonic()
        if remember:
            assert record.loaded is not None
            self._usual.add(stage_key(record.loaded.id, stage), stage.seconds(stage.ended))


def stage_key(exercise_id: str, stage: Stage) -> str:
    """Name under which the usual duration of a stage is kept."""
    return ISOLATION_STAGE if stage.name == ISOLATION_STAGE else f"{exercise_id}/{stage.name}"
