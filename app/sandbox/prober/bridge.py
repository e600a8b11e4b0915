"""One run of the checks: attaches the prober, relays what it says, answers what it asks."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.errors import PlatformError
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.daemon.exercises import LoadedExercise
from app.sandbox.daemon.specification import PROBER_IMAGE
from app.sandbox.engine import Engine, Member
from app.sandbox.model import MemberSpec, Purpose, SandboxSpec
from app.sandbox.prober.calls import Calls
from app.sandbox.prober.frames import (
    AnyFrame,
    Call,
    CheckFinished,
    CheckStarted,
    Finished,
    NoteFrame,
    ProberFault,
    SignalFrame,
    StageFrame,
    read_frames,
)
from app.sandbox.prober.score import Tally
from app.sandbox.taps.supervisor import Taps

log = logging.getLogger(__name__)
COMMAND = ("/usr/bin/python3", "-I", "/member/run.py")
GRACE_SECONDS = 20.0
MAX_SCALE = 6.0  #: the prober keeps the stretched cap itself; this one is for a prober that hangs
EXIT_SECONDS = 5.0  #: between the last frame and its end
MAX_CALLS_AT_ONCE = 32
MAX_NOTES = 2000
TRACE_OF_FAILED = (60, 240)  #: events that a report keeps of a check: its first and its last ones
TRACE_OF_PASSED = (20, 80)


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run on which sandbox."""

    loaded: LoadedExercise
    spec: SandboxSpec
    purpose: Purpose
    seed: int
    only: Sequence[str] = ()

    def as_json(self) -> bytes:
        """`/member/job.json`."""
        checks = self.loaded.exercise.definition.checks
        return json.dumps(
            {
                "exercise": self.loaded.id,
                "purpose": self.purpose,
                "seed": self.seed,
                "only": list(self.only),
                "runner": checks.runner,
                "stop_at_first_failure": checks.stop_at_first_failure,
                "timeout_seconds": checks.timeout_seconds,
                "checks": [{"id": c.id, "points": c.points, "needs": c.needs, "seconds": c.seconds} for c in checks.items],
                "services": [
                    {
                        "name": s.name,
                        "image": s.image,
                        "given": s.given,
                        "learner": not s.given,
                        "replicas": s.replicas,
                        "start": s.start,
                        "restart": s.restart,
                    }
                    for s in self.spec.services
                ],
                "edges": [
                    {"from": e.from_, "to": e.to.split(":")[0], "protocol": e.protocol}
                    for e in self.loaded.exercise.definition.sandbox.edges
                ],
                "secrets": dict(self.spec.secrets),
            }
        ).encode()


class ProberRun:
    """The prober at work on one sandbox.

    Args:
        files: what is mounted for it, without `job.json`.
        taps: those of the sandbox once it is ready; None when it has no edges.
    """

    def __init__(
        self,
        engine: Engine,
        job: Job,
        files: Callable[[], Awaitable[Mapping[str, bytes]]],
        calls: Calls,
        taps: Callable[[], Taps | None],
    ) -> None:
        self._engine = engine
        self._job = job
        self._files = files
        self._calls = calls
        self._find_taps = taps
        self._taps: Taps | None = None
        self._seen = 0  #: number of the last tap event before the check that runs
        self._fault: PlatformError | None = None
        self._events: asyncio.Queue[pb.RunEvent | None] = asyncio.Queue(256)
        self._answering: dict[asyncio.Task[None], str] = {}  #: what was asked
        self._began = 0.0
        self._spoke = False
        self._finished = False
        self._notes = 0
        self.tally = Tally(job.loaded.exercise.definition.checks.items, job.only)
        self.signals: Counter[str] = Counter()  #: unusual things that its probes met
        self.scale = 1.0  #: factor by which the prober stretched limits; known at its end

    async def events(self) -> AsyncGenerator[pb.RunEvent, None]:
        """What happens, until the prober has finished and is gone.

        Raises:
            ProberFault: it died, broke its protocol or exceeded its time.
            PlatformError: the engine, or a tap.
        """
        self._began = time.monotonic()
        self._taps = self._find_taps()
        if self._taps is not None:
            self._seen = await self._taps.mark()
        member = await self._attach()
        pump = asyncio.create_task(self._pump(member), name=f"prober of {self._job.spec.id}")
        if self._taps is not None:
            self._taps.on_fault = partial(self._abort, pump)
        try:
            while (event := await self._events.get()) is not None:
                yield event
            if self._fault is not None:
                raise self._fault
            await pump
        finally:
            if self._taps is not None:
                self._taps.on_fault = None
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            await member.kill()
            await self._disarm()

    async def _attach(self) -> Member:
        files = {**await self._files(), "job.json": self._job.as_json()}
        return await self._engine.attach(self._job.spec.id, MemberSpec(PROBER_IMAGE, PROBER_IMAGE, COMMAND, files))

    def _abort(self, pump: asyncio.Task[None], fault: PlatformError) -> None:
        """What is seen from here on proves nothing."""
        self._fault = self._fault or fault
        pump.cancel()

    async def _disarm(self) -> None:
        """No rule outlives its check, let alone its run."""
        if self._taps is not None:
            with suppress(PlatformError):  # a tap that has ended has no rules
                await self._taps.disarm_all()

    async def _pump(self, member: Member) -> None:
        try:
            await self._listen(member)
        finally:
            for task in [*self._answering]:
                task.cancel()
            await self._events.put(None)

    async def _listen(self, member: Member) -> None:
        cap = self._job.loaded.exercise.definition.checks.timeout_seconds * MAX_SCALE + GRACE_SECONDS
        try:
            async with asyncio.timeout(cap):
                async for frame in read_frames(member.stdout):
                    await self._take(frame, member)
                code = await asyncio.wait_for(member.wait(), EXIT_SECONDS)
        except TimeoutError:
            raise ProberFault(f"The prober did not end in time. {await _last_words(member)}") from None
        if not self._finished:
            raise ProberFault(f"The prober ended (code {code}) before it had finished. {await _last_words(member)}")

    async def _take(self, frame: AnyFrame, member: Member) -> None:
        if self._finished:
            raise ProberFault("The prober went on after it had finished.")
        if not self._spoke:
            self._spoke = True  # it has imported what it needs, and works
            await self._tell(stage=pb.Stage(name="attach", seconds=time.monotonic() - self._began, done=True))
        match frame:
            case Call():
                self._answer(frame, member)
            case StageFrame():
                await self._tell(stage=pb.Stage(name=frame.name, seconds=frame.seconds, done=True))
            case CheckStarted():
                self.tally.start(frame.id)
                await self._tell(check_started=frame.id)
            case CheckFinished():
                await self._end_check(frame)
            case NoteFrame():
                self._notes += 1
                if self._notes <= MAX_NOTES:
                    at = round(time.monotonic() - self._began, 3)
                    note = {"at": at, "kind": frame.kind, "ru": frame.ru, "en": frame.en}
                    await self._tell(note=json.dumps(note, ensure_ascii=False))
            case SignalFrame():
                self.signals[frame.kind] += 1
            case Finished():
                if self.tally.missing:
                    raise ProberFault(f"The prober finished without a result for: {', '.join(self.tally.missing)}.")
                self.scale = frame.scale
                self._finished = True

    async def _end_check(self, frame: CheckFinished) -> None:
        result = self.tally.finish(frame)
        trace = b""
        if self._taps is not None:
            for task in [task for task, op in self._answering.items() if op.startswith("tap_")]:
                task.cancel()  # whoever asked is gone
            await self._taps.disarm_all()
            trace = await self._trace(self._taps, frame)
        await self._tell(check_finished=result)
        if trace:
            await self._tell(trace=trace)

    async def _trace(self, taps: Taps, frame: CheckFinished) -> bytes:
        """What the taps saw since the check before, cut to what a report can show."""
        before, self._seen = self._seen, await taps.mark()
        first, last = TRACE_OF_PASSED if frame.status == "passed" else TRACE_OF_FAILED
        events, dropped = taps.history.ends(before, self._seen, first, last)
        for event in events:
            event["at"] = round(event["at"] - self._began, 6)
        return json.dumps({"check": frame.id, "events": events, "dropped": dropped}, ensure_ascii=False).encode()

    async def _tell(self, **event: Any) -> None:
        await self._events.put(pb.RunEvent(**event))

    def _answer(self, call: Call, member: Member) -> None:
        """Answer beside the stream, so that a long wait holds up nothing."""
        if len(self._answering) >= MAX_CALLS_AT_ONCE:
            raise ProberFault("The prober asked too much at once.")
        task = asyncio.create_task(self._reply(call, member), name=f"{call.op} for the prober")
        self._answering[task] = call.op
        task.add_done_callback(self._answering.pop)

    async def _reply(self, call: Call, member: Member) -> None:
        reply = await self._calls.answer(call)
        with suppress(ConnectionError):  # it has ended meanwhile; the pump sees that too
            member.stdin.write(json.dumps(reply, ensure_ascii=False).encode() + b"\n")
            await member.stdin.drain()


async def _last_words(member: Member) -> str:
    """The last line of its stderr, for operators; all of it goes to the log."""
    try:
        text = (await member.stderr_tail()).decode("utf-8", "replace").strip()
    except (PlatformError, TimeoutError):
        return ""
    if text:
        log.warning("the prober's stderr:\n%s", text)
    return text.rsplit("\n", 1)[-1][:300]
