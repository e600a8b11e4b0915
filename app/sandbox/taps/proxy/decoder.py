"""What a decoder is: it reads along with one connection and says where units end and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Literal, NamedTuple, Protocol

from .trace import Event

Direction = Literal["up", "down"]  #: up: from the client to the upstream
MAX_TEXT = 512  #: characters of a payload, a statement or a path that an event shows

COMMON = frozenset({"kind", "id", "size", "body", "latency"})  #: fields that events of many kinds have


class Kind(NamedTuple):
    """What a kind of event has beyond COMMON, and which way it travels; empty: both ways."""

    direction: str
    fields: frozenset[str]


def kind(direction: str, fields: str = "") -> Kind:
    """A kind whose fields are separated by blanks."""
    return Kind(direction, frozenset(fields.split()))


Kinds = Mapping[str, Kind]


class State(IntEnum):
    """How a piece of the stream relates to its unit."""

    MORE = 0  #: the unit goes on in a later piece with the same key
    DONE = 1  #: the unit ends here
    PART = 2  #: as DONE, but it cannot be taken out of the stream: the rest would make no sense
    OPEN = 3  #: the unit is known here; later pieces with the same key share its fate, up to the next one that is DONE


class Piece(NamedTuple):
    """Bytes up to `end` (counted in the data that was fed). Pieces with one `key` make a unit."""

    end: int
    key: int
    events: list[Event] | None
    state: State


class Undecodable(Exception):
    """The stream is not what the decoder knows, or is larger than its caps."""


class Decoder(Protocol):
    """Reads both directions of one connection, in bounded memory; after it raised `Undecodable` it is not asked again."""

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        """Read on; append to `pieces`. Events carry their own fields, `kind`, `size` and mostly `id`."""

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        """Events that were kept back: at the end of a direction, and when everything has to be told."""

    def lost(self, events: list[Event]) -> None:
        """A rule took these out of the stream: the receiver never sees them."""


def show(payload: bytes | bytearray) -> dict[str, Any]:
    """`body`, and `cut` when there was more; `payload` holds at most one character more than is shown, or its bytes."""
    text = payload[: 4 * MAX_TEXT].decode("utf-8", "replace")
    return {"body": text[:MAX_TEXT], "cut": True} if len(text) > MAX_TEXT or len(payload) > 4 * MAX_TEXT else {"body": text}
