"""Whether this machine may run sandboxes at all: the engine's report, and when to ask for a new one."""

from __future__ import annotations

import asyncio
import time

from app.sandbox.engine import Engine, EngineRefused
from app.sandbox.model import DoctorReport

BELIEVED_SECONDS = 60.0


class Doctor:
    """Keeps the last report. Callers at the same time share one probe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._probing = asyncio.Lock()
        self._report: DoctorReport | None = None
        self._at = 0.0

    async def report(self, *, fresh: bool = False) -> DoctorReport:
        """A report that is at most a minute old; with `fresh`, one younger than the question."""
        asked = time.monotonic()
        return await self._younger_than(asked if fresh else asked - BELIEVED_SECONDS)

    async def require(self) -> None:
        """Go on only where isolation was found. A good report is believed until a launch proves it wrong.

        Raises:
            EngineRefused: isolation is missing; the message holds the cure.
        """
        if self._report is None or not self._report.usable:
            report = await self.report()
            if not report.usable:
                raise EngineRefused(report.reason or "Isolation is missing on this machine.", cure="See `./soty doctor`.")

    def doubt(self) -> None:
        """A launch was refused: believe nothing any more."""
        self._report = None

    async def _younger_than(self, moment: float) -> DoctorReport:
        async with self._probing:
            if self._report is None or self._at < moment:
                self._report = await self._engine.doctor()
                self._at = time.monotonic()
            return self._report
