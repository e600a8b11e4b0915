"""What the taps saw during one check: bounded, and packed for the database."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_EVENTS = 600  #: of one check: the first and the last half; what lies between is dropped and counted
MAX_CHARS = 400_000  #: of one check's events as JSON
MAX_TEXT = 160  #: characters of one value that are kept for people to read
MAX_PACKED = 2_000_000  #: bytes of one report's traces in the database

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """The messages of one check, in order of time.

    Attributes:
        events: as in docs/taps.md.
        dropped: how many are missing, be it at the tap or here.
    """

    check: str
    events: tuple[Event, ...]
    dropped: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Trace:
        """Read what `sandboxd` sends after a check, and keep what fits.

        Raises:
            ValueError: not a trace.
        """
        try:
            found = json.loads(data)
            events, dropped = found["events"], int(found.get("dropped", 0))
            if not all(isinstance(event, dict) for event in events):
                raise ValueError("an event is not an object")
            kept, lost = bounded(events)
            return cls(str(found["check"]), kept, dropped + lost)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a trace: {error!r}") from error


def bounded(events: Sequence[Event]) -> tuple[tuple[Event, ...], int]:
    """At most `MAX_EVENTS` events of at most `MAX_CHARS` together, from both ends; and how many were left out."""
    half, kept = MAX_EVENTS // 2, [_short(event) for event in events[:MAX_EVENTS]]
    if len(events) > MAX_EVENTS:
        kept = kept[:half] + [_short(event) for event in events[-half:]]
    while kept and len(json.dumps(kept, ensure_ascii=False)) > MAX_CHARS:
        middle, cut = len(kept) // 2, max(1, len(kept) // 8)
        del kept[max(0, middle - cut) : middle + cut]
    return tuple(kept), len(events) - len(kept)


def _short(event: Event) -> Event:
    return {key: _short_value(value) for key, value in event.items()}


def _short_value(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[: MAX_TEXT - 1] + "…"
    if isinstance(value, list):
        return [_short_value(item) for item in value[:20]]
    return value


def packed(traces: Iterable[Trace]) -> bytes | None:
    """Traces for the database; None when there are none. What does not fit loses the traces of the last checks."""
    whole = list(traces)
    while whole:
        rows = [{"check": one.check, "events": one.events, "dropped": one.dropped} for one in whole]
        data = zlib.compress(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode(), 6)
        if len(data) <= MAX_PACKED:
            return data
        whole.pop()
    return None


def unpacked(data: bytes | None) -> tuple[Trace, ...]:
    """What `packed` made."""
    if not data:
        return ()
    return tuple(Trace(row["check"], tuple(row["events"]), row["dropped"]) for row in json.loads(zlib.decompress(data)))
