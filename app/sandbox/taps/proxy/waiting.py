"""What waits to be written in one direction: delayed, dripping, held, or behind something that is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from .trace import Event

MAX_QUEUED = 1 << 20  #: bytes from which on the source is not read any more
MAX_ALL = 16 << 20  #: bytes of all connections from which on nothing more is kept back
_LITTLE = 64 << 10  #: bytes that one may keep whatever the others do
STEP = 0.05  #: seconds between two drops of a drip


class Budget:
    """Bytes that all connections of a tap keep back together."""

    def __init__(self) -> None:
        self.used = 0

    @property
    def spent(self) -> bool:
        """Whether nobody should keep more."""
        return self.used > MAX_ALL


@dataclass(slots=True, eq=False)
class Item:
    """Bytes, or the end of the stream.

    Attributes:
        due: monotonic seconds before which it does not pass.
        rate: bytes per second; 0: at once.
        hold: number of a hold that keeps it; 0: none.
        rule: whose doing it is that it waits.
        final: `eof`, `close` or `reset` instead of bytes.
    """

    data: bytes = b""
    due: float = 0.0
    rate: float = 0.0
    hold: int = 0
    rule: str = ""
    final: str = ""
    events: list[Event] = field(default_factory=list)


class Queue:
    """Items in order."""

    def __init__(self, budget: Budget) -> None:
        self._items: deque[Item] = deque()
        self._budget = budget
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether so much waits that the source should not be read."""
        return self._size > MAX_QUEUED or (self._size > _LITTLE and self._budget.spent)

    def _grow(self, size: int) -> None:
        self._size += size
        self._budget.used += size

    def __bool__(self) -> bool:
        return bool(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def put(self, item: Item) -> None:
        """Append."""
        self._items.append(item)
        self._grow(len(item.data))

    def remove(self, item: Item) -> None:
        """Take one out, wherever it is; fine when it is not there."""
        if item in self._items:
            self._items.remove(item)
            self._grow(-len(item.data))

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._grow(-self._size)

    def take(self, now: float) -> Item | float | None:
        """What may be written now, the time from which on something may, or None: only news will help."""
        if not self._items:
            return None
        head = self._items[0]
        if head.hold:
            return None
        if head.due > now:
            return head.due
        size = max(1, int(head.rate * STEP)) if head.rate else len(head.data)
        if size >= len(head.data):
            self._items.popleft()
            self._grow(-len(head.data))
            if head.rate and self._items:
                self._items[0].due = max(self._items[0].due, now + len(head.data) / head.rate)
            return head
        piece, head.data = head.data[:size], head.data[size:]
        head.due = now + size / head.rate
        self._grow(-size)
        return Item(piece)
