"""What rules do to a unit."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from .armed import Armed
from .repeats import repeat
from .trace import Event
from .waiting import Item

if TYPE_CHECKING:
    from .connection import Connection
    from .flow import Flow

_random = random.Random()  # noqa: S311 - jitter


def act(connection: Connection, flow: Flow, armed: Armed, event: Event, events: list[Event], unit: bytes, whole: bool) -> bool:
    """Treat one unit.

    Args:
        event: what the rule matched; one of `events`, or of no trace when the rule is about bytes.
        events: all events of the unit.
        unit: its bytes; empty when they have passed already, because they are too many.
        whole: whether the stream makes sense without it.

    Returns:
        Whether the unit passes, now or later.
    """
    rule = armed.rule
    do = rule.do if unit and (whole or rule.do not in ("drop", "duplicate")) else "passed"
    flow.tell(events, rule=rule.id, action=do)
    connection.fired(flow, armed, event, do)
    if do == "delay":
        seconds = rule.options["seconds"] + _random.uniform(0, rule.options["jitter"])
        flow.put(Item(unit, due=time.monotonic() + seconds, rule=rule.id))
    elif do == "drip":
        flow.put(Item(unit, rate=rule.options["bytes_per_second"], rule=rule.id))
    elif do == "hold":
        options = rule.options
        connection.holds.begin(
            connection, flow, rule.id, unit, event, events, whole, options["seconds"], options["then"]
        )  # fmt: skip
    elif do == "duplicate":
        flow.out(unit)
        repeat(connection, flow, unit, rule.id)
    elif do == "drop":
        connection.lost(events)
    elif do == "reset":
        connection.reset("rule")
    elif do == "blackhole":
        connection.desk.open_hole(armed)
    elif unit:
        flow.out(unit)
    return do not in ("drop", "reset", "blackhole")
