"""Grading without the product: the engine and the prober alone, no database, no queue, no journal, no sockets between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial

from app.content.exercise import Exercise
from app.grading.prober.bundle import prober_files
from app.sandbox.daemon import specification
from app.sandbox.daemon.changes import Changes
from app.sandbox.daemon.exercises import LoadedExercise
from app.sandbox.daemon.given import Given
from app.sandbox.daemon.preparation import Preparation
from app.sandbox.daemon.record import Record
from app.sandbox.engine import Engine
from app.sandbox.images.store import ImageStore
from app.sandbox.journal import Entry
from app.sandbox.model import EngineStatus, Purpose, SandboxState, ServiceState
from app.sandbox.prober.bridge import Job, ProberRun
from app.sandbox.prober.calls import Calls
from app.sandbox.taps.model import MEMBER_PLACE
from tests.pods import until


class BareGrader:
    """Grades one exercise without edges and without `init`, so often and so many at once as it is asked."""

    def __init__(self, engine: Engine, store: ImageStore, exercise: Exercise) -> None:
        self._engine, self._images = engine, Preparation(store)
        starter = {path: text.encode() for path, text in exercise.starter.items()}
        given = exercise.folder / "given"
        files = {path.name: path.read_bytes() for path in given.iterdir() if path.is_file()}
        self._loaded = LoadedExercise(exercise, starter, files, prober_files(exercise))
        self._number = 0

    async def grade(self, files: Mapping[str, str]) -> str:
        """Launch, wait until all is ready, run the checks, end it; the verdict."""
        self._number += 1
        workspace = specification.workspace(self._loaded, {path: text.encode() for path, text in files.items()})
        spec = specification.build(f"bare{self._number:016d}", self._loaded, workspace, self._images.definition, "bench")
        exercise = self._loaded.exercise
        entry = Entry(spec.id, exercise.id, exercise.content_hash, Purpose.PROOF, "bench", time.time(), SandboxState.READY)
        changes = Changes()
        calls = Calls(
            self._engine, Record(entry, self._loaded, spec), Given(self._engine, self._images.definition, changes), changes
        )
        code = partial(self._images.compiled, specification.PROBER_IMAGE, self._loaded.prober, MEMBER_PLACE)
        given = {service.name for service in spec.services if service.given}

        def given_ready(status: EngineStatus) -> bool:
            return all(service.state is ServiceState.READY for service in status.services if service.name in given)

        await self._engine.launch(spec)
        try:
            await until(self._engine, spec, "given services are ready", given_ready, 60)
            await self._engine.release(spec.id)
            await until(self._engine, spec, "ready", lambda status: status.ready, 60)
            run = ProberRun(self._engine, Job(self._loaded, spec, Purpose.PROOF, self._number), code, calls, lambda: None)
            async for _ in run.events():
                pass
            return run.tally.verdict
        finally:
            await self._engine.stop(spec.id)

    async def grade_all(self, count: int, at_once: int, files: Mapping[str, str]) -> float:
        """Seconds for `count` gradings, so many at a time."""
        free = asyncio.Semaphore(at_once)

        async def one() -> str:
            async with free:
                return await self.grade(files)

        began = time.monotonic()
        await asyncio.gather(*(one() for _ in range(count)))
        return time.monotonic() - began
