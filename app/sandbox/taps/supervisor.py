"""The taps of one sandbox: attached before its services talk, kept alive, driven for the prober, listened to."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from app.errors import InvalidInput, NotFound, PlatformError
from app.sandbox.engine import Engine, NoSuchSandbox
from app.sandbox.model import ENDED, Limits, MemberSpec, ServiceStatus
from app.sandbox.taps.bundle import COMMAND
from app.sandbox.taps.history import History, Page
from app.sandbox.taps.model import TAP_IMAGE, Event, TapFault, TapPlan, compound
from app.sandbox.taps.rules import Act, Rule
from app.sandbox.taps.tap import Tap

log = logging.getLogger(__name__)
MOST_DEATHS = 10  #: of one tap; then the sandbox has failed
MOST_RULES = 64
MAX_RULE_BYTES = 16 << 10
_PAUSE_SECONDS = 0.2


class Taps:
    """All taps of one sandbox.

    Args:
        files: finds what is mounted at /member, without `tap.json`.
        clients: the learner's services, by plain name.
        note: takes a sentence for people.
        give_up: called once, with a sentence, when a tap cannot be kept alive.

    Attributes:
        history: what they saw.
        on_fault: called with what makes a run worthless; None while there is none.
    """

    def __init__(
        self,
        engine: Engine,
        sandbox_id: str,
        plans: Sequence[TapPlan],
        files: Callable[[], Awaitable[Mapping[str, bytes]]],
        limits: Limits,
        clients: Iterable[str],
        *,
        note: Callable[[str], None],
        give_up: Callable[[str], None],
    ) -> None:
        self._engine = engine
        self._sandbox_id = sandbox_id
        self._plans = plans
        self._find_files = files
        self._files: Mapping[str, bytes] = {}
        self._limits = limits
        self._clients = frozenset(clients)
        self._note = note
        self._give_up = give_up
        self.history = History()
        self.on_fault: Callable[[TapFault], None] | None = None
        self._taps: dict[str, Tap] = {}
        self._rules: dict[str, Rule] = {}
        self._rule_numbers = itertools.count(1)
        self._peers: dict[str, str] = {}
        self._down: set[str] = set()  #: upstreams of which no replica runs
        self._keepers: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def attach(self) -> None:
        """Start all of them; returns when they listen.

        Raises:
            PlatformError: one did not start.
        """
        self._files = await self._find_files()
        await asyncio.gather(*(self._start(plan) for plan in self._plans))
        self._keepers = [asyncio.create_task(self._keep(plan), name=f"keeper of {plan.name}") for plan in self._plans]

    async def close(self) -> None:
        """Stop caring; the guests end with their sandbox."""
        self._abandon(self._taps.values())
        tasks = [*self._keepers, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def follow(self, services: Iterable[ServiceStatus]) -> None:
        """Tell every tap who has which address now, and whether its upstream runs."""
        services = tuple(services)
        peers = {status.address: status.full_name for status in services if status.name in self._clients and status.address}
        down = {plan.upstream for plan in self._plans} - {status.name for status in services if status.state not in ENDED}
        if peers != self._peers or down != self._down:
            self._peers, self._down = peers, down
            for tap in self._taps.values():
                task = asyncio.create_task(self._introduce(tap))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    # What the prober asks for

    async def arm(self, upstream: str, rule: Mapping[str, Any], act: Act) -> str:
        """Arm a rule; its id, which is ours to choose.

        Raises:
            InvalidInput: it is not a rule, or the protocol cannot do it.
            NotFound: no edge leads to this upstream.
        """
        if len(json.dumps(rule)) > MAX_RULE_BYTES or len(self._rules) >= MOST_RULES:
            raise InvalidInput(f"At most {MOST_RULES} rules of {MAX_RULE_BYTES >> 10} KiB each can be armed.")
        tap = self._tap(upstream)
        rule_id = f"r{next(self._rule_numbers)}"
        self._rules[rule_id] = Rule(rule_id, tap, compound(rule), act, self._fault)
        try:
            await tap.ask("arm", rule={**rule, "id": rule_id})
        except PlatformError:
            self._rules.pop(rule_id, None)
            raise
        return rule_id

    async def disarm(self, rule_id: str) -> None:
        """End one rule. Idempotent."""
        if (rule := self._rules.pop(rule_id, None)) is not None:
            rule.abandon()
            await rule.tap.ask("disarm", rule=rule_id)

    async def disarm_all(self, upstream: str = "") -> None:
        """End every rule at an upstream's tap, or at all of them, and the steps that are being taken; what was held goes on."""
        taps = [self._tap(upstream)] if upstream else [*self._taps.values()]
        self._abandon(taps)
        await asyncio.gather(*(tap.ask("disarm", rule="") for tap in taps))

    async def reach(self, rule_id: str, count: int, timeout: float) -> tuple[int, list[Event]]:
        """See `Rule.reach`.

        Raises:
            NotFound: no such rule is armed.
        """
        rule = self._rules.get(rule_id)
        if rule is None:
            raise NotFound(f"There is no rule `{rule_id[:40]}`.", code="no-such-rule")
        return await rule.reach(count, timeout)

    async def cut(self, upstream: str, client: str) -> None:
        """Reset the present connections to an upstream, of one client or of all."""
        await self._tap(upstream).ask("cut", **{"from": client})

    async def mark(self) -> int:
        """Number of the newest event, everything told that has happened until now."""
        await asyncio.gather(*(tap.ask("sync") for tap in self._taps.values()))
        return self.history.settle()

    async def trace(self, after: int) -> Page:
        """Events after a number, everything told that has happened until now."""
        await self.mark()
        return self.history.page(after)

    # Inside

    def _tap(self, upstream: str) -> Tap:
        tap = self._taps.get(upstream)
        if tap is None:
            raise NotFound(f"No edge leads to `{upstream[:40]}`.", code="no-such-edge")
        return tap

    def _abandon(self, taps: Collection[Tap]) -> None:
        for rule in [rule for rule in self._rules.values() if rule.tap in taps]:
            rule.abandon()
            del self._rules[rule.id]

    async def _start(self, plan: TapPlan) -> None:
        files = {**self._files, "tap.json": plan.as_json()}
        spec = MemberSpec(plan.name, TAP_IMAGE, COMMAND, files, limits=self._limits, stands_for=plan.upstream)
        tap = Tap(plan, await self._engine.attach(self._sandbox_id, spec), self._told)
        await tap.ready()
        self._taps[plan.upstream] = tap
        await self._introduce(tap)

    async def _introduce(self, tap: Tap) -> None:
        with suppress(TapFault):  # its keeper sees that too
            await tap.ask("peers", peers=self._peers, present=tap.plan.upstream not in self._down)

    async def _keep(self, plan: TapPlan) -> None:
        """Start it again whenever it ends."""
        for death in range(1, MOST_DEATHS + 1):
            tap = self._taps[plan.upstream]
            why = await tap.ended
            self._abandon([tap])
            self._fault(TapFault(f"The tap of `{plan.upstream}` failed: {why}."))
            try:
                await self._start(plan)
            except NoSuchSandbox:
                return  # it ended with its sandbox
            except PlatformError as error:
                log.error("sandbox %s: %s: %s", self._sandbox_id, plan.name, error.message)
                break
            self._note(f"{plan.upstream}: its tap failed and was started again")
            await asyncio.sleep(_PAUSE_SECONDS * (death - 1))
        self._give_up(f"The tap of `{plan.upstream}` cannot be kept alive.")

    def _fault(self, fault: TapFault) -> None:
        log.error("sandbox %s: %s", self._sandbox_id, fault.message)
        if self.on_fault is not None:
            self.on_fault(fault)

    def _told(self, tap: Tap, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "events":
                self.history.add(frame["events"], frame["dropped"])
            case "fired" if (rule := self._rules.get(frame["rule"])) is not None:
                rule.fired(frame["event"])
            case "held" if (rule := self._rules.get(frame["rule"])) is not None:
                rule.held(frame["hold"], frame["event"])
