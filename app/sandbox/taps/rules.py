"""The rules that are armed at the taps of one sandbox: how often each has acted, and the steps of compound ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from app.errors import PlatformError
from app.sandbox.taps.model import SENDER, Compound, Event, TapFault
from app.sandbox.taps.tap import Tap

KEPT = 1000  #: events of one rule
WHOLE = 100  #: of these: with their payload; so that an answer fits the pipe
_LONG = ("body", "statement", "text")

Act = Callable[[str, str, float], Awaitable[None]]  #: what to do, to which service, within how many seconds


class Rule:
    """One rule that is armed.

    Args:
        act: does a step; raises `PlatformError`.
        fault: called when a step failed, or the frame could not be held until all were through.
    """

    def __init__(self, rule_id: str, tap: Tap, compound: Compound, act: Act, fault: Callable[[TapFault], None]) -> None:
        self.id, self.tap, self.compound = rule_id, tap, compound
        self._act = act
        self._fault = fault
        self._carrying: set[asyncio.Task[None]] = set()
        self._fired = 0
        self._events: list[Event] = []
        self._news = asyncio.Event()

    def fired(self, event: Event) -> None:
        """It has acted; a compound one only counts once its steps are through."""
        if not self.compound.steps:
            self._count(event)

    def held(self, hold: int, event: Event) -> None:
        """A frame waits: take the steps, then end the hold. Without steps the tap ends it by itself."""
        if self.compound.steps:
            task = asyncio.create_task(self._carry_out(hold, event), name=f"steps of rule {self.id}")
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    def abandon(self) -> None:
        """Take no further step: the rule is over."""
        for task in self._carrying:
            task.cancel()

    async def _carry_out(self, hold: int, event: Event) -> None:
        try:
            await self._take_steps(hold, event)
        except TapFault as fault:
            self._fault(fault)
        else:
            self._count(event)

    async def _take_steps(self, hold: int, event: Event) -> None:
        doing = "the hold"
        try:
            async with asyncio.timeout(self.compound.seconds):
                for step in self.compound.steps:
                    service = event["from"] if step.service == SENDER else step.service
                    doing = f"{step.do} {service}"
                    await self._act(step.do, service, self.compound.seconds)
                await self.tap.ask("release", hold=hold, action=self.compound.then)
        except TimeoutError:
            late = f"was not through when the hold of {self.compound.seconds:g} s was over"
            raise TapFault(f"Rule {self.id}: {doing} {late}.") from None
        except PlatformError as error:
            raise TapFault(f"Rule {self.id}: {doing}: {error.message}") from None

    async def reach(self, count: int, timeout: float) -> tuple[int, list[Event]]:
        """Wait until it has acted `count` times, or until the time is over; how often it has, and the events."""
        try:
            async with asyncio.timeout(timeout):
                while self._fired < count:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return self._fired, list(self._events)

    def _count(self, event: Event) -> None:
        self._fired += 1
        if len(self._events) < WHOLE:
            self._events.append(event)
        elif len(self._events) < KEPT:
            self._events.append({name: value for name, value in event.items() if name not in _LONG})
        self._news.set()
