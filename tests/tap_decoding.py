"""Feeding decoders: a conversation in, events out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.sandbox.taps.proxy.decoder import Decoder, Direction, Piece, State
from app.sandbox.taps.proxy.decoders import DECODERS
from tests.recordings import Chunk

Events = list[tuple[str, dict[str, Any]]]  #: direction and event


class Reading:
    """A decoder, and what it says about a conversation; time stands still unless a test moves it."""

    def __init__(self, protocol: str) -> None:
        self.decoder: Decoder = DECODERS[protocol](5)
        self.now = 0.0
        self.events: Events = []
        self.pieces: list[tuple[str, Piece]] = []
        self.units: list[tuple[str, bytes, list[str]]] = []  #: direction, bytes, kinds; of units that are whole
        self._pending = {"up": b"", "down": b""}
        self._parts: dict[tuple[str, int], bytes] = {}

    def feed(self, direction: Direction, data: bytes) -> None:
        """Read on; also when it raises, what came before is kept."""
        pieces: list[Piece] = []
        base = len(self._pending[direction])
        try:
            self.decoder.feed(direction, data, self.now, pieces)
        finally:
            self._pending[direction] += data
            start = 0
            for piece in pieces:
                end = base + piece.end
                assert start <= end <= len(self._pending[direction])
                self._unit(direction, self._pending[direction][start:end], piece)
                start = end
                self.pieces.append((direction, piece))
                self.events += [(direction, dict(event)) for event in piece.events or ()]
            self._pending[direction] = self._pending[direction][start:]

    def _unit(self, direction: str, chunk: bytes, piece: Piece) -> None:
        key = (direction, piece.key)
        self._parts[key] = self._parts.get(key, b"") + chunk
        if piece.state is not State.MORE:
            self.units.append((direction, self._parts.pop(key), [event["kind"] for event in piece.events or ()]))

    def end(self) -> None:
        """Both sides close."""
        for direction in ("up", "down"):
            self.events += [(direction, dict(event)) for event in self.decoder.rest(direction, self.now, True)]


def read(protocol: str, conversation: Iterable[Chunk], step: int = 0) -> Reading:
    """Read a conversation, as it was cut or `step` bytes at a time; 10 ms between its chunks."""
    reading = Reading(protocol)
    for direction, data in conversation:
        for at in range(0, len(data), step or len(data)):
            reading.feed("up" if direction == "up" else "down", data[at : at + (step or len(data))])
        reading.now += 0.01
    reading.end()
    return reading


def of(reading: Reading, *kinds: str) -> list[dict[str, Any]]:
    """The events of these kinds."""
    return [event for _, event in reading.events if event["kind"] in kinds]


def fields(events: Iterable[dict[str, Any]], *names: str) -> list[Any]:
    """Tuples of fields, or the values of a single one."""
    rows = [tuple(event.get(name) for name in names) for event in events]
    return [row[0] for row in rows] if len(names) == 1 else rows
