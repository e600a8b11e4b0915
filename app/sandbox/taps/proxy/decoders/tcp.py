"""Plain TCP: how many bytes, which way, at most ten times a second."""

from __future__ import annotations

from collections.abc import Set

from ..decoder import Direction, Kinds, Piece, State
from ..trace import Event

INTERVAL = 0.1  #: seconds
KINDS: Kinds = {}


def cannot(action: str, kinds: Set[str]) -> str:
    """Bytes have no copies."""
    return "bytes cannot be repeated" if action == "duplicate" else ""


class Tcp:
    """Counts. What was counted since the last event is told with the next bytes, at a sync or at the end."""

    def __init__(self, connection: int) -> None:
        self._told = {"up": 0.0, "down": 0.0}
        self._size = {"up": 0, "down": 0}

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        self._size[direction] += len(data)
        events = self._tell(direction, now) if now - self._told[direction] >= INTERVAL else None
        pieces.append(Piece(len(data), 0, events, State.DONE))

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        return self._tell(direction, now) if self._size[direction] else []

    def lost(self, events: list[Event]) -> None:
        """Nothing refers to bytes."""

    def _tell(self, direction: Direction, now: float) -> list[Event]:
        size, self._size[direction] = self._size[direction], 0
        self._told[direction] = now
        return [{"kind": "data", "size": size}]
