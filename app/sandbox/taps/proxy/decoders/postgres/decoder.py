"""Messages of PostgreSQL: startup, simple and extended queries, and what the server says to them."""

from __future__ import annotations

from collections.abc import Set

from ...decoder import MAX_TEXT, Direction, Kinds, Piece, State, Undecodable, kind
from ...trace import Event
from .session import Session

MAX_READ = 16 << 10  #: bytes of a message that are looked at; the rest only passes
MAX_MESSAGE = 1 << 30
MAX_STARTUP = 10_000
_TLS, _GSS, _CANCEL = 80877103, 80877104, 80877102
_UP, _DOWN = frozenset(b"BCDEFHPQSXcdfp"), frozenset(b"123ACDEGHIKNRSTVWZcdnstv")
_READ_UP, _READ_DOWN = frozenset(b"BCEPQ"), frozenset(b"CEZ")
_MORE_UP = frozenset(b"PBDEC")  #: passes together with the Sync or Flush that follows
_STATEMENT = kind("up", "statement")
KINDS: Kinds = {
    "startup": kind("up", "user database"),
    "begin": _STATEMENT,
    "commit": kind("up", "statement implicit"),
    "rollback": _STATEMENT,
    "statement": _STATEMENT,
    "complete": kind("down", "tag rows"),
    "error": kind("down", "code text"),
}


def cannot(action: str, kinds: Set[str]) -> str:
    """Answers are counted, so nothing can be repeated."""
    return (
        "a statement cannot be repeated: the client would get answers that it did not ask for" if action == "duplicate" else ""
    )


class _Half:
    """One direction: the beginning of a message, or what is left of one."""

    def __init__(self) -> None:
        self.buffer = b""
        self.left = 0
        self.state = State.DONE  #: of the message that is passing
        self.events: list[Event] = []  #: of the unit
        self.size = 0  #: of what belongs to the next statement


class Postgres:
    """Both directions of a connection."""

    def __init__(self, connection: int) -> None:
        self._session = Session(connection)
        self._halves = {"up": _Half(), "down": _Half()}
        self._started = False
        self._offered = 0  #: offers of encryption that the server has not answered

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        half = self._halves[direction]
        up = direction == "up"
        old = len(half.buffer)
        if old:
            data, half.buffer = half.buffer + data, b""
        at, size = 0, len(data)
        while at < size:
            if half.left:
                step = min(half.left, size - at)
                half.left -= step
                at += step
                if not half.left:
                    pieces.append(self._piece(half, at - old))
                continue
            if up and not self._started:
                end = self._startup(half, data, at)
            elif not up and self._offered:
                end = self._answer_to_offer(half, data, at)
            else:
                end = self._message(half, up, data, at, now)
            if not end:
                break
            at = end
            if not half.left:
                pieces.append(self._piece(half, at - old))
        half.buffer = data[at:]

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        half = self._halves[direction]
        events: list[Event] = []
        if ended:
            events, half.events = half.events, []
        return events

    def lost(self, events: list[Event]) -> None:
        if ids := {event["id"] for event in events if KINDS[event["kind"]].direction == "up" and "id" in event}:
            self._session.lost(ids)

    @staticmethod
    def _piece(half: _Half, end: int) -> Piece:
        if half.state is State.MORE:
            return Piece(end, 0, None, State.MORE)
        events, half.events, half.size = half.events, [], 0
        return Piece(end, 0, events or None, State.DONE)

    def _startup(self, half: _Half, data: bytes, at: int) -> int:
        """The first messages have no type; 0: not whole yet."""
        if len(data) - at < 8:
            if len(data) - at >= 4 and not 8 <= int.from_bytes(data[at : at + 4], "big") <= MAX_STARTUP:
                raise Undecodable("not a startup of PostgreSQL")
            return 0
        length, code = int.from_bytes(data[at : at + 4], "big"), int.from_bytes(data[at + 4 : at + 8], "big")
        if not 8 <= length <= MAX_STARTUP or (code not in (_TLS, _GSS, _CANCEL) and code >> 16 != 3):
            raise Undecodable("not a startup of PostgreSQL")
        if len(data) - at < length:
            return 0
        half.state = State.DONE
        if code in (_TLS, _GSS):
            self._offered += 1
        elif code != _CANCEL:
            self._started = True
            words = [word.decode("utf-8", "replace")[:MAX_TEXT] for word in data[at + 8 : at + length].split(b"\0")]
            given = dict(zip(words[::2], words[1::2], strict=False))
            user = given.get("user", "")
            half.events = [{"kind": "startup", "size": length, "user": user, "database": given.get("database", user)}]
        return at + length

    def _answer_to_offer(self, half: _Half, data: bytes, at: int) -> int:
        if data[at : at + 1] != b"N":
            raise Undecodable("the connection is encrypted")
        self._offered -= 1
        half.state = State.DONE
        return at + 1

    def _message(self, half: _Half, up: bool, data: bytes, at: int, now: float) -> int:
        """One message, or its beginning when the rest only has to pass; 0: not enough of it yet."""
        if data[at] not in (_UP if up else _DOWN):
            raise Undecodable(f"a message of type {data[at]}")
        if len(data) - at < 5:
            return 0
        sort, length = data[at : at + 1], int.from_bytes(data[at + 1 : at + 5], "big")
        if not 4 <= length <= MAX_MESSAGE:
            raise Undecodable(f"a message of {length} bytes")
        begin, wanted = at + 5, 0
        if data[at] in (_READ_UP if up else _READ_DOWN):
            wanted = min(length - 4, MAX_READ)
            if len(data) - begin < wanted:
                return 0
        half.size += length + 1
        if up:
            self._asked(half, sort, data[begin : begin + wanted], now)
        else:
            self._said(half, sort, data[begin : begin + wanted], now)
        end = at + 1 + length
        half.left = max(0, end - len(data))
        return min(end, len(data))

    def _asked(self, half: _Half, sort: bytes, body: bytes, now: float) -> None:
        session = self._session
        half.state = State.MORE if sort[0] in _MORE_UP else State.DONE
        if sort == b"Q":
            half.events += session.query(_text(body), half.size, now)
        elif sort == b"P":
            name, _, rest = body.partition(b"\0")
            session.prepare(name, _text(rest))
        elif sort == b"B":
            portal, _, rest = body.partition(b"\0")
            session.bind(portal, rest.partition(b"\0")[0])
        elif sort == b"E":
            half.events += session.execute(body.partition(b"\0")[0], half.size, now)
            half.size = 0
        elif sort == b"C":
            session.close(body[:1], body[1:].partition(b"\0")[0])
        elif sort in (b"S", b"F"):
            half.events += session.sync(now)

    def _said(self, half: _Half, sort: bytes, body: bytes, now: float) -> None:
        session = self._session
        if sort == b"C":
            tag = _text(body)
            number = tag.rpartition(" ")[2]
            rows = int(number) if number.isdecimal() and len(number) < 20 else 0
            event = {"kind": "complete", "size": len(body) + 5, "tag": tag, "rows": rows}
            half.events.append({**event, **session.completed(now)})
        elif sort == b"E":
            fields = {part[:1]: part[1:].decode("utf-8", "replace")[:MAX_TEXT] for part in body.split(b"\0")}
            event = {"kind": "error", "size": len(body) + 5, "code": fields.get(b"C", ""), "text": fields.get(b"M", "")}
            half.events.append({**event, **session.completed(now)})
        elif sort in (b"I", b"s"):
            session.completed(now)
        elif sort == b"Z":
            session.ready(body[:1])
        # A completion passes together with the ReadyForQuery after it, when the client has asked for one.
        waits = bool(half.events) and session.ready_due > 0 and sort not in (b"G", b"H", b"W", b"Z")
        half.state = State.MORE if waits else State.DONE


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")
