"""Units that wait for a decision: each has a number, a deadline and what is done then."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .decoder import Direction
from .trace import Event
from .waiting import Item

if TYPE_CHECKING:
    from .connection import Connection
    from .flow import Flow


@dataclass(slots=True, eq=False)
class Hold:
    """One unit that waits in a flow. `whole`: it may be dropped."""

    number: int
    rule: str
    connection: Connection
    flow: Flow
    item: Item
    event: Event
    whole: bool
    timer: asyncio.TimerHandle | None = None


class Holds:
    """All of one tap.

    Args:
        send: tells `sandboxd`.
    """

    def __init__(self, send: Callable[[dict[str, Any]], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._holds: dict[int, Hold] = {}

    def begin(self, connection: Connection, flow: Flow, rule: str, unit: bytes, event: Event, events: list[Event],
              whole: bool, seconds: float, then: str) -> None:  # fmt: skip
        """Keep a unit back, tell it, and do `then` with it after `seconds` unless somebody was faster."""
        number = next(self._numbers)
        item = Item(unit, hold=number, rule=rule, events=events)
        hold = self._holds[number] = Hold(number, rule, connection, flow, item, event, whole)
        hold.timer = asyncio.get_running_loop().call_later(seconds, self.end, number, then)
        self._send({"type": "held", "hold": number, "rule": rule, "event": event})
        flow.put(item)

    def end(self, number: int, action: str) -> bool:
        """Forward, drop or cut what is held; False: there is no such hold (any more)."""
        hold = self.forget(number)
        if hold is None:
            return False
        if action == "drop" and not hold.whole:
            action = "forward"
        self._tell(hold, action)
        hold.item.hold = 0
        if action == "cut":
            hold.connection.reset("rule")
        elif action == "drop":
            hold.connection.lost(hold.item.events)
            hold.flow.remove(hold.item)
        else:
            hold.flow.pump()
        return True

    def end_all(self, rules: list[str]) -> None:
        """Forward everything that these rules hold."""
        for number in [number for number, hold in self._holds.items() if hold.rule in rules]:
            self.end(number, "forward")

    def forget(self, number: int) -> Hold | None:
        """The hold is over, whatever becomes of the unit."""
        hold = self._holds.pop(number, None)
        if hold is not None and hold.timer is not None:
            hold.timer.cancel()
        return hold

    @staticmethod
    def _tell(hold: Hold, action: str) -> None:
        direction: Direction = hold.flow.direction
        ids = {"held": hold.event["id"]} if "id" in hold.event else {}
        event: Event = {"kind": "released", "size": len(hold.item.data), "hold": hold.number, **ids}
        hold.connection.tell(event, direction, rule=hold.rule, action=action)
