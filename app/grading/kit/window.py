"""The trace after a place, read piece by piece, and whether it has holes."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .edges import Edge
from .pipe import Pipe
from .trace import Event, Trace
from .words import Failed, Fault, Text

MAX_EVENTS = 20_000  #: kept of one window; what is beyond counts as dropped


class Window:
    """What happened after `after` on these edges, or on all where none is named."""

    def __init__(self, pipe: Pipe, after: int, edges: Sequence[Edge]) -> None:
        self._pipe, self._next, self._edges = pipe, after, edges
        self._events: list[Event] = []
        self._dropped = 0

    def read(self) -> Trace:
        """Everything up to now; an answer of the platform holds a part, so it is asked until it has caught up with now."""
        asked = time.monotonic()
        while True:
            value = self._pipe.call("tap_trace", after=self._next)
            self._next = int(value["next"])
            self._dropped += int(value["dropped"])
            events = [Event.read(data) for data in value["events"]]
            for event in events:
                if self._edges and not any(edge.carries(event) for edge in self._edges):
                    continue
                if len(self._events) < MAX_EVENTS:
                    self._events.append(event)
                else:
                    self._dropped += 1
            if not events or events[-1].at >= asked:
                return Trace(self._events, self._dropped)


def no_holes(trace: Trace) -> None:
    """Absence cannot be judged where something was not seen.

    Raises:
        Fault: events were dropped, or a conversation stopped being understood in its middle.
        Failed: a connection never spoke the protocol of its edge.
    """
    if trace.dropped:
        raise Fault(f"the taps lost {trace.dropped} events of this time, so nothing can be said about what was not seen")
    for event in trace.of("undecoded"):
        if [
            e
            for e in trace
            if e.conn == event.conn and e.upstream == event.upstream and e.kind not in ("open", "close", "undecoded")
        ]:
            raise Fault(f"the tap of {event.upstream} stopped understanding connection {event.conn}, so nothing can be said")
        raise Failed(
            expected=Text(
                f"{event.replica} говорит с {event.upstream} по протоколу {event.protocol}",
                f"{event.replica} speaks {event.protocol} to {event.upstream}",
            ),
            seen=Text("обмен, который им не является", "traffic that is not that"),
        )
