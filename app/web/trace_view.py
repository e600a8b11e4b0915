"""The messages of a failed check as a list that people read: who, to whom, what, when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.grading.trace import Event, Trace

MAX_ROWS = 200  #: of one check on a page, the last ones: what failed happened at the end


@dataclass(frozen=True)
class Hop:
    """One message.

    Attributes:
        at: seconds since the first message of the check.
        up: it goes from the client to the upstream.
        edge: both names, for the filter.
        about: what is typical of it: queue, method and path, statement, flags.
        latency: seconds since what it answers; None when it answers nothing.
        action: what a rule did to it; empty when it passed untouched.
    """

    at: float
    client: str
    upstream: str
    up: bool
    kind: str
    about: str
    identity: str
    latency: float | None
    action: str

    @property
    def edge(self) -> str:
        return f"{self.client} → {self.upstream}"


@dataclass(frozen=True)
class TraceView:
    """The messages of one check. `missing`: how many are not shown."""

    hops: tuple[Hop, ...]
    missing: int

    @property
    def edges(self) -> list[str]:
        """Every edge once, in order of its first message."""
        return list(dict.fromkeys(hop.edge for hop in self.hops))


def trace_view(trace: Trace) -> TraceView:
    """The last `MAX_ROWS` messages."""
    events = sorted(trace.events, key=lambda event: float(event.get("at", 0)))
    begin = float(events[0].get("at", 0)) if events else 0.0
    shown = events[-MAX_ROWS:]
    return TraceView(tuple(_hops(shown, begin)), trace.dropped + len(events) - len(shown))


def _hops(events: Sequence[Event], begin: float) -> Iterator[Hop]:
    for event in events:
        latency = event.get("latency")
        yield Hop(
            at=float(event.get("at", 0)) - begin,
            client=str(event.get("from", "")),
            upstream=str(event.get("to", "")),
            up=event.get("dir") != "down",
            kind=str(event.get("kind", "")),
            about=_about(event),
            identity=str(event.get("id", "")),
            latency=float(latency) if isinstance(latency, (int, float)) else None,
            action=str(event.get("action", "")),
        )


_NAMES = ("method", "path", "service", "status", "exchange", "routing_key", "queue", "code", "tag", "statement", "text")
_FLAGS = ("no_ack", "redelivered", "persistent", "mandatory", "multiple", "requeue", "durable", "implicit")


def _about(event: Event) -> str:
    named = [str(event[name]) for name in _NAMES if event.get(name) not in (None, "")]
    values = list(dict.fromkeys(named))  # a queue's name is its routing key as a rule
    if "prefetch" in event:
        values.append(f"prefetch {event['prefetch']}")
    flags = [name for name in _FLAGS if event.get(name) is True]
    body = str(event.get("body", ""))[:80]
    return " ".join([*values, *flags, *([f"“{body}”"] if body else [])])
