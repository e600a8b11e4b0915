"""Runs of the checks: bring the sandbox to a clean state, let the prober work, put back what its faults broke."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial

from app.errors import Conflict, InvalidInput, PlatformError
from app.sandbox import sandbox_pb2 as pb
from app.sandbox.daemon import signals, specification
from app.sandbox.daemon.clean_state import CleanState
from app.sandbox.daemon.record import Record
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.daemon.specification import PROBER_IMAGE
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.prober.bridge import Job, ProberRun
from app.sandbox.prober.calls import Calls
from app.sandbox.prober.frames import ProberFault
from app.sandbox.prober.score import Tally
from app.sandbox.taps.model import MEMBER_PLACE

log = logging.getLogger(__name__)
TAIL_BYTES = 4096
TAILS_AT_MOST = 16


class Runs:
    """Runs the checks of a sandbox's exercise, one run at a time per sandbox."""

    def __init__(self, sandboxes: Sandboxes) -> None:
        self._sandboxes = sandboxes
        self._engine = sandboxes.engine
        self._clean = CleanState(sandboxes)

    async def run(
        self, sandbox_id: str, seed: int, only: Sequence[str] = (), files: Mapping[str, bytes] | None = None
    ) -> AsyncGenerator[pb.RunEvent, None]:
        """Wait until the sandbox can be used, then run the checks.

        Args:
            only: check ids; empty: all.
            files: for a trial on a used sandbox: the workspace to put first, after which everything starts anew; None
                takes the sandbox as it is.

        Yields:
            Events; the last one is `finished`, also when the run is `errored`. A sandbox that ends meanwhile is errored.

        Raises:
            NotFound, Conflict, InvalidInput: the run never began.
        """
        record = self._sandboxes.get(sandbox_id, touch=True)
        if record.loaded is None or record.spec is None or not record.alive:
            raise Conflict(f"The sandbox is {record.state}.", code="sandbox-not-ready", details={"state": record.state})
        checks = record.loaded.exercise.definition.checks.items
        if unknown := set(only) - {check.id for check in checks}:
            raise InvalidInput(f"There is no check `{min(unknown)[:48]}`.", code="unknown-check")
        merged = None if files is None else specification.workspace(record.loaded, files)
        calls = Calls(self._engine, record, self._sandboxes.given, self._sandboxes.changes)
        code = partial(self._sandboxes.images.compiled, PROBER_IMAGE, record.loaded.prober, MEMBER_PLACE)
        job = Job(record.loaded, record.spec, record.purpose, seed, only)
        run = ProberRun(self._engine, job, code, calls, lambda: record.taps)
        async with self._claimed(record):
            error = ""
            try:
                async with aclosing(self._events(record, run, calls, merged)) as events:
                    async for event in events:
                        yield event
            except PlatformError as fault:
                error = fault.message
                log.warning("run on %s: %s", sandbox_id, error)
            yield pb.RunEvent(finished=await self._finished(record, run, seed, error))

    async def _events(
        self, record: Record, run: ProberRun, calls: Calls, files: Mapping[str, bytes] | None
    ) -> AsyncGenerator[pb.RunEvent, None]:
        began = time.monotonic()
        await self._usable(record)
        yield _stage("sandbox", began)
        if files is not None:
            began = time.monotonic()
            await self._clean.make(record, calls, files)
            yield _stage("reset", began)
        before = record.services
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    yield event
        finally:
            if record.purpose is Purpose.PRACTICE and record.state is SandboxState.READY:
                await self._clean.put_back(record, before, calls.touched)

    @asynccontextmanager
    async def _claimed(self, record: Record) -> AsyncIterator[None]:
        if record.checks_running:
            raise Conflict("Checks are running in this sandbox already.", code="checks-running")
        record.checks_running = True
        self._sandboxes.changes.publish(record.id)
        try:
            async with record.busy:
                yield
        finally:
            record.checks_running = False
            self._sandboxes.touch(record)
            self._sandboxes.changes.publish(record.id)

    async def _usable(self, record: Record) -> None:
        """Wait for `ready`; how long a queued one may wait is for the caller's deadline to say."""
        with self._sandboxes.changes.subscribe(record.id, begin_with=[record.id]) as changes:
            while record.state is not SandboxState.READY:
                if not record.alive:
                    why = record.entry.message or record.entry.reason
                    raise ProberFault(f"The sandbox ended before its checks could begin: {why}")
                await changes.next()

    async def _finished(self, record: Record, run: ProberRun, seed: int, error: str) -> pb.RunFinished:
        tally: Tally = run.tally
        # A fault of the platform leaves no verdict on the learner, whatever had been found until then.
        return pb.RunFinished(
            verdict="errored" if error else tally.verdict,
            score=0 if error else tally.score,
            seed=seed,
            scale=run.scale,
            checks=tally.results(),
            error=error,
            log_tails_json=json.dumps(await self._log_tails(record), ensure_ascii=False),
            signals_json=json.dumps(await signals.observed(self._engine, record, run.signals)),
        )

    async def _log_tails(self, record: Record) -> dict[str, str]:
        tails: dict[str, str] = {}
        with suppress(PlatformError, TimeoutError):
            statuses = (await self._engine.status(record.id)).services
            for status in [s for s in statuses if not record.is_given(s.name)][:TAILS_AT_MOST]:
                start = max(0, status.log_bytes - TAIL_BYTES)
                chunk = await self._engine.logs(record.id, status.full_name, start, TAIL_BYTES)
                tails[status.full_name] = chunk.data.decode("utf-8", "replace")
        return {name: tail for name, tail in tails.items() if tail}


def _stage(name: str, began: float) -> pb.RunEvent:
    return pb.RunEvent(stage=pb.Stage(name=name, seconds=time.monotonic() - began, done=True))
