"""All sandboxes of this machine: what callers may do with them, and the clocks that end them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from app.errors import Conflict, InvalidInput, NotFound, TooMany
from app.sandbox.admission import Admission, Request
from app.sandbox.daemon import specification
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.doctor import Doctor
from app.sandbox.daemon.exercises import Exercises, LoadedExercise
from app.sandbox.daemon.given import Given
from app.sandbox.daemon.life import Clock, Life, stage_key
from app.sandbox.daemon.preparation import Preparation
from app.sandbox.daemon.record import INIT_STAGE, ISOLATION_STAGE, QUEUED_STAGE, TAPS_STAGE, Ending, Record, Stage
from app.sandbox.daemon.tap_making import TapMaker
from app.sandbox.daemon.usual import UsualTimes
from app.sandbox.engine import Engine
from app.sandbox.journal import Entry, Journal
from app.sandbox.model import OPERATOR, Purpose, SandboxSpec, SandboxState
from app.sandbox.taps.model import TAP_IMAGE

log = logging.getLogger(__name__)
IDLE_SECONDS = 20 * 60.0  #: without any interaction, practice only
EXTEND_SECONDS = 30 * 60.0
EXTENSIONS = 2
LISTED_SECONDS = 10 * 60.0  #: how long a gone sandbox is still listed
REMEMBERED_SECONDS = 24 * 3600.0  #: how long its id is refused to start again
CHECKING_TTL_MINUTES = 15  #: gradings and proofs that nobody stopped
_ISOLATION_SECONDS = 0.5
_TAPS_SECONDS = 0.5
_INIT_SECONDS = 0.5
_ID = re.compile(r"[0-9a-z]{8,40}")
_REASON = re.compile(r"[a-z-]{1,32}")


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """What a caller may say about a sandbox that it wants."""

    id: str
    exercise_id: str
    content_hash: str
    purpose: Purpose
    owner: str
    files: Mapping[str, bytes]


class Sandboxes:
    """The sandboxes of one daemon. Every method belongs to the loop's thread."""

    def __init__(
        self,
        engine: Engine,
        exercises: Exercises,
        images: Preparation,
        journal: Journal,
        admission: Admission,
        usual: UsualTimes,
        tap_files: Mapping[str, bytes],
        *,
        instance: str,
        clock: Clock | None = None,
    ) -> None:
        self.engine = engine
        self.exercises = exercises
        self.images = images
        self.admission = admission
        self.changes = Changes()
        self.usual = usual
        self.clock = clock or Clock()
        self._journal = journal
        self._instance = instance
        self.doctor = Doctor(engine)
        self.engine_gone = asyncio.Event()
        self.given = Given(engine, images.definition, self.changes)
        taps = TapMaker(engine, images, tap_files, self.changes, self._wish)
        self.life = Life(
            engine, journal, self.changes, self.given, taps.make, usual, self.doctor, self.engine_gone, self.clock
        )  # fmt: skip
        self._records: dict[str, Record] = {}
        self._lives: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read the journal, clear leftovers and start the clocks. Sandboxes do not outlive their daemon: they are lost."""
        now = self.clock.wall()
        for entry in list(self._journal.read()):
            if entry.state is not SandboxState.GONE:
                message = "sandboxd was restarted; the sandbox ended with it."
                entry = replace(entry, state=SandboxState.GONE, reason="lost", message=message, ended_at=now)
                await self._journal.write(entry)
            self._records[entry.id] = Record(entry)
        await self.engine.reap()
        self._ticker = asyncio.create_task(self._tick_forever(), name="clocks")

    async def close(self) -> None:
        """End every sandbox; returns when all are gone."""
        if self._ticker:
            self._ticker.cancel()
        for record in self._records.values():
            self._wish(record, Ending("shutdown", "sandboxd is stopping."))
        if self._lives:
            await asyncio.wait(self._lives)
        await self.usual.save()
        self._journal.close()

    # What callers may do

    async def launch(self, order: LaunchOrder) -> Record:
        """Journal the intent and join the queue; returns at once. The same id again changes nothing.

        Raises:
            NotFound, ContentChanged: the exercise.
            NotProven: it is not offered, and this is neither a proof nor an operator's own sandbox.
            InvalidInput: the id, the owner or a file.
            ImageNotReady: an image is still being prepared.
            EngineRefused: isolation is missing on this machine.
            TooMany: the owner has a practice sandbox; `details["sandbox"]` is its id.
            TooBig: it could never start here.
        """
        if known := self._records.get(order.id):
            return known
        if not _ID.fullmatch(order.id):
            raise InvalidInput("A sandbox id has 8 to 40 characters out of 0-9 and a-z.")
        if not order.owner or len(order.owner) > 64:
            raise InvalidInput("The owner's id is missing or longer than 64 characters.")
        loaded = self.exercises.get(order.exercise_id, order.content_hash)
        if order.purpose is not Purpose.PROOF and order.owner != OPERATOR:
            loaded.exercise.require_offered()
        files = specification.workspace(loaded, order.files)
        self.images.require(specification.image_names(loaded.exercise))
        await self.doctor.require()
        if order.purpose is Purpose.PRACTICE:
            self._refuse_second(order.owner)
        if known := self._records.get(order.id):  # the same call came twice at once
            return known
        spec = specification.build(order.id, loaded, files, self.images.definition, self._instance)
        record = self._new_record(order, loaded, spec)
        self.admission.ask(Request(order.id, order.purpose, order.owner, spec.memory_mb))
        self._records[order.id] = record
        try:
            await self._journal.write(record.entry)
        except OSError:
            del self._records[order.id]
            self.admission.leave(order.id)
            raise
        life = asyncio.create_task(self._live(record), name=f"life of {order.id}")
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)
        self._admit()
        return record

    def get(self, sandbox_id: str, *, touch: bool = False) -> Record:
        """One sandbox, living or remembered.

        Raises:
            NotFound: never heard of it.
        """
        record = self._records.get(sandbox_id)
        if record is None:
            raise NotFound("There is no such sandbox.", code="no-such-sandbox")
        if touch:
            self.touch(record)
        return record

    def ready(self, sandbox_id: str) -> Record:
        """One that can be used, and now is: its idle clock starts anew.

        Raises:
            NotFound: never heard of it.
            Conflict: it is not ready.
        """
        record = self.get(sandbox_id, touch=True)
        if record.state is not SandboxState.READY or _is_ending(record):
            raise Conflict(f"The sandbox is {record.state}.", code="sandbox-not-ready", details={"state": record.state})
        return record

    def touch(self, record: Record) -> None:
        """Somebody uses it: the idle clock starts anew."""
        record.touched = self.clock.monotonic()

    def find(self, sandbox_id: str) -> Record | None:
        """One sandbox, if it is known."""
        return self._records.get(sandbox_id)

    def list(self, owner: str = "", purpose: str = "", *, gone_too: bool = False) -> Sequence[Record]:
        """Sandboxes, oldest first; the gone ones for ten minutes."""
        horizon = self.clock.wall() - LISTED_SECONDS
        return [
            record
            for record in self._records.values()
            if owner in ("", record.entry.owner)
            and purpose in ("", record.purpose)
            and (record.state is not SandboxState.GONE or (gone_too and record.entry.ended_at >= horizon))
        ]

    def extend(self, sandbox_id: str) -> Record:
        """Half an hour more, twice."""
        record = self.ready(sandbox_id)
        if not record.extensions_left:
            raise Conflict("This sandbox has been extended as often as possible.", code="no-extensions-left")
        assert record.expires is not None
        record.extensions_left -= 1
        record.expires += EXTEND_SECONDS
        self.changes.publish(sandbox_id)
        return record

    def stop(self, sandbox_id: str, reason: str = "stopped") -> Record:
        """Begin to end a sandbox; a second call changes nothing."""
        if not _REASON.fullmatch(reason):
            raise InvalidInput("A reason is a short word of a-z and hyphens.")
        record = self.get(sandbox_id)
        self._wish(record, Ending(reason))
        return record

    # Clocks

    def tick(self) -> None:
        """End what has expired or lies idle."""
        now = self.clock.monotonic()
        for record in self._records.values():
            if record.expires is not None and now >= record.expires:
                self._wish(record, Ending("expired"))
            elif record.alive and not record.checks_running and now >= (record.idle_at or inf):
                self._wish(record, Ending("idle"))
        self._admit()

    async def _tick_forever(self) -> None:
        while True:
            self.tick()
            await self._forget_old()
            await asyncio.sleep(1.0)

    async def _forget_old(self) -> None:
        horizon = self.clock.wall() - REMEMBERED_SECONDS
        old = [r.id for r in self._records.values() if r.state is SandboxState.GONE and r.entry.ended_at < horizon]
        for sandbox_id in old:
            del self._records[sandbox_id]
            try:
                await self._journal.forget(sandbox_id)
            except OSError as error:
                log.error("journal: %s: %s", sandbox_id, error)

    # Inside

    def _new_record(self, order: LaunchOrder, loaded: LoadedExercise, spec: SandboxSpec) -> Record:
        practice = order.purpose is Purpose.PRACTICE
        entry = Entry(
            order.id, order.exercise_id, order.content_hash, order.purpose, order.owner, self.clock.wall(), SandboxState.QUEUED
        )  # fmt: skip
        record = Record(entry, loaded, spec, files=spec.files)
        record.ttl_seconds = (loaded.exercise.definition.sandbox.ttl_minutes if practice else CHECKING_TTL_MINUTES) * 60.0
        record.idle_seconds = IDLE_SECONDS if practice else None
        record.extensions_left = EXTENSIONS if practice else 0
        record.touched = self.clock.monotonic()
        record.ending = asyncio.get_running_loop().create_future()
        record.stages = [Stage(QUEUED_STAGE), Stage(ISOLATION_STAGE, self.usual.get(ISOLATION_STAGE, _ISOLATION_SECONDS))]
        if TAP_IMAGE in spec.member_images:
            record.stages.append(self._stage(loaded, TAPS_STAGE, _TAPS_SECONDS))
        for service in spec.services:
            if service.start == "launch":
                usual = self.images.definition(service.image).ready.usual_seconds
                record.stages.append(self._stage(loaded, service.name, usual))
        if any(record.init_path(service.name) for service in spec.services):
            record.stages.append(self._stage(loaded, INIT_STAGE, _INIT_SECONDS))
        return record

    def _stage(self, loaded: LoadedExercise, name: str, usual: float) -> Stage:
        stage = Stage(name)
        stage.usual = self.usual.get(stage_key(loaded.id, stage), usual)
        return stage

    async def _live(self, record: Record) -> None:
        try:
            await self.life.live(record)
        finally:
            record.forget()
            self.admission.leave(record.id)
            self._admit()

    def _admit(self) -> None:
        admitted = self.admission.admit()
        for sandbox_id in admitted:
            self._records[sandbox_id].admitted.set()
        if admitted:
            for record in self._records.values():
                if record.state is SandboxState.QUEUED:
                    self.changes.publish(record.id)

    def _wish(self, record: Record, ending: Ending) -> None:
        if record.ending is not None and not record.ending.done():
            record.ending.set_result(ending)

    def _refuse_second(self, owner: str) -> None:
        for other in self._records.values():
            if other.alive and other.purpose is Purpose.PRACTICE and other.entry.owner == owner and not _is_ending(other):
                raise TooMany(
                    "You have a sandbox already.",
                    code="one-sandbox-each",
                    details={"sandbox": other.id, "exercise": other.entry.exercise_id},
                )


def _is_ending(record: Record) -> bool:
    return record.ending is not None and record.ending.done()
