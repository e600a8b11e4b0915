"""From bytes and pieces to whole units that a rule can treat; what is too large or began before the rule passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .decoder import Piece, State
from .trace import Event

if TYPE_CHECKING:
    from .flow import Flow
    from .waiting import Budget

MAX_UNIT = 1 << 20  #: bytes of all units of one direction that are not whole yet


class Units:
    """Assembly for one direction."""

    def __init__(self, flow: Flow, budget: Budget) -> None:
        self._flow, self._budget = flow, budget
        self._counted = 0  #: bytes that the budget knows of
        self._pending = bytearray()  #: since the end of the last piece
        self._parts: dict[int, bytearray] = {}
        self._size = 0  #: of all parts
        self._torn = False  #: bytes of the piece that is being read have passed
        self._torn_large = False  #: because of their size
        self._begun: set[int] = set()  #: keys of units of which something has passed
        self._large: set[int] = set()  #: those of them that passed because of their size
        self._lost: set[int] = set()  #: keys of units whose later pieces are lost too

    def passed(self, data: bytes, now: float) -> None:
        """Read along with bytes that have passed already."""
        pieces = self._flow.decode(data, now)
        if pieces is None:
            return
        for piece in pieces:
            if piece[2]:
                self._flow.tell(piece[2])
            if piece[3] is State.MORE:
                self._begun.add(piece[1])
            elif self._begun:
                self._begun.discard(piece[1])
        self._torn = not pieces or pieces[-1][0] != len(data)
        self._flow.understood()

    def follow(self, piece: Piece, length: int) -> None:
        """Remember where the stream stands after a piece that was treated as bytes."""
        if piece.state is State.MORE:
            self._begun.add(piece.key)
        else:
            self._begun.discard(piece.key)
        self._torn = piece.end != length

    def data(self, data: bytes, now: float) -> None:
        """Cut into units and let the rules treat each."""
        base = len(self._pending)
        self._pending += data
        pieces = self._flow.decode(data, now)
        start = 0
        for piece in pieces or ():
            chunk = bytes(self._pending[start : base + piece.end])
            start = base + piece.end
            self._piece(chunk, piece)
            if self._flow.stopped:
                return
        del self._pending[:start]
        if not self._flow.understood():
            self.flush()
        elif len(self._pending) > MAX_UNIT or self._budget.spent:
            self._large.update(self._parts)
            self._torn_large = True
            self.flush()
        elif self._torn and self._pending:
            self._flow.out(bytes(self._pending))
            self._pending.clear()
        self._count()

    def _count(self) -> None:
        size = len(self._pending) + self._size
        self._budget.used += size - self._counted
        self._counted = size

    def flush(self) -> None:
        """Pass on everything that is not whole yet."""
        for key, part in self._parts.items():
            self._flow.out(bytes(part))
            self._begun.add(key)
        self._parts.clear()
        self._size = 0
        if self._pending:
            self._flow.out(bytes(self._pending))
            self._pending.clear()
            self._torn = True
        self._count()

    def end(self, events: list[Event]) -> None:
        """The stream is over; `events` belong to what was not whole until now."""
        unit = bytes(self._parts.pop(0, b"") + self._pending)
        if not events or not unit:
            self.flush()
            self._flow.tell(events)
            return
        self._pending.clear()
        self.flush()
        self._unit(unit, events, True)

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
        self._pending.clear()
        self._size = 0
        self._count()

    def _piece(self, chunk: bytes, piece: Piece) -> None:
        _end, key, events, state = piece
        if self._flow.swallows(key):
            return
        if self._torn:
            self._begun.add(key)
            if self._torn_large:
                self._large.add(key)
            self._torn = self._torn_large = False
        if key in self._lost:
            if state is State.DONE:
                self._lost.discard(key)
            return
        if key in self._begun:
            self._flow.out(chunk)
            large = key in self._large
            if state is not State.MORE:
                self._begun.discard(key)
                self._large.discard(key)
            self._late(events or [], large)
            return
        if state is State.MORE:
            self._parts.setdefault(key, bytearray()).extend(chunk)
            self._size += len(chunk)
            if self._size > MAX_UNIT:
                self._overflow()
            return
        part = self._parts.pop(key, b"")
        self._size -= len(part)
        passes = self._unit(bytes(part) + chunk, events or [], state is not State.PART)
        if state is State.OPEN and not passes:
            self._lost.add(key)

    def _overflow(self) -> None:
        """Too much waits for its end: the largest unit passes as it is."""
        key = max(self._parts, key=lambda key: len(self._parts[key]))
        part = self._parts.pop(key)
        self._size -= len(part)
        self._begun.add(key)
        self._large.add(key)
        self._flow.out(bytes(part))

    def _unit(self, unit: bytes, events: list[Event], whole: bool) -> bool:
        found = self._flow.match(events) if events else None
        if found is None:
            self._flow.out(unit)
            self._flow.tell(events)
            return True
        return self._flow.treat(found[0], found[1], events, unit, whole)

    def _late(self, events: list[Event], large: bool) -> None:
        """Tell events of what has passed already; a rule that would have matched it is named, when size was the reason."""
        found = self._flow.match(events) if events and large else None
        if found is None:
            self._flow.tell(events)
        else:
            self._flow.treat(found[0], found[1], events, b"", False)
