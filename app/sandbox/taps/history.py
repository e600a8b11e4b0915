"""What the taps of one sandbox saw: merged by time, numbered, bounded; what was lost is counted."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from app.sandbox.taps.model import Event

MAX_EVENTS = 20_000
MAX_BYTES = 8 << 20  #: of the events as JSON
PAGE_BYTES = 384 << 10  #: of one answer to the prober, whose lines hold 1 MiB
_SETTLE_AT = 2048
_OVERHEAD = 48  #: bytes that an entry takes besides its text


class Page(NamedTuple):
    """Events after a number. `next` is where to go on; `dropped`: how many are missing between the two."""

    events: list[Event]
    next: int
    dropped: int


class History:
    """A ring of events. Their numbers follow their times, as long as nobody looked before a slower tap had told.

    A gap takes a number as well: a tap could not keep so many events there.
    """

    def __init__(self) -> None:
        self._fresh: list[tuple[float, bytes | int]] = []  #: told, not numbered yet
        self._ring: deque[bytes | int] = deque()
        self._bytes = 0
        self._first = 1  #: number of the oldest in the ring

    @property
    def last(self) -> int:
        """Number of the newest event that has one; 0 before the first."""
        return self._first + len(self._ring) - 1

    def add(self, events: Iterable[Event], dropped: int = 0) -> None:
        """Take what a tap tells; `dropped`: what it could not keep."""
        for event in events:
            line = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            self._fresh.append((float(event["at"]), line))
            self._bytes += _size(line)
        if dropped:
            self._fresh.append((self._fresh[-1][0] if self._fresh else time.monotonic(), dropped))
            self._bytes += _size(dropped)
        if len(self._fresh) >= _SETTLE_AT or self._bytes > MAX_BYTES:
            self.settle()

    def settle(self) -> int:
        """Number everything that was told; return the number of the newest."""
        self._fresh.sort(key=lambda one: one[0])
        self._ring.extend(line for _, line in self._fresh)
        self._fresh.clear()
        while len(self._ring) > MAX_EVENTS or self._bytes > MAX_BYTES:
            self._bytes -= _size(self._ring.popleft())
            self._first += 1
        return self.last

    def page(self, after: int) -> Page:
        """The events after number `after`, as many as fit."""
        begin = max(after + 1, self._first)
        events: list[Event] = []
        dropped = max(0, min(begin, self.last + 1) - after - 1)
        end, size = max(after, begin - 1), 0
        for seq, entry in self._between(begin, self.last):
            size += _size(entry)
            if size > PAGE_BYTES and events:
                break
            end = seq
            if isinstance(entry, int):
                dropped += entry
            else:
                events.append({"seq": seq, **json.loads(entry)})
        return Page(events, end, dropped)

    def ends(self, after: int, until: int, first: int, last: int) -> tuple[list[Event], int]:
        """The first and the last events between two numbers, and how many are missing, what was left out included."""
        begin = max(after + 1, self._first)
        entries = [*self._between(begin, until)]
        missing = begin - after - 1 + sum(entry for _, entry in entries if isinstance(entry, int))
        events = [(seq, entry) for seq, entry in entries if isinstance(entry, bytes)]
        kept = events if len(events) <= first + last else [*events[:first], *events[-last:]]
        return [{"seq": seq, **json.loads(entry)} for seq, entry in kept], missing + len(events) - len(kept)

    def _between(self, begin: int, until: int) -> Iterator[tuple[int, bytes | int]]:
        return enumerate(islice(self._ring, begin - self._first, max(begin, until + 1) - self._first), begin)


def _size(entry: bytes | int) -> int:
    return _OVERHEAD + (len(entry) if isinstance(entry, bytes) else 0)
