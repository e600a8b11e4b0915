"""Messages of HTTP/1.1, and which answer belongs to which request."""

from __future__ import annotations

from collections import deque
from collections.abc import Set
from typing import NamedTuple

from ...decoder import Direction, Kinds, Piece, State, Undecodable, kind, show
from ...trace import Event
from .body import Body
from .head import Head, find_end

MAX_ASKED = 1000  #: requests of one connection that wait for an answer
KINDS: Kinds = {"request": kind("up", "method path"), "response": kind("down", "status")}


def cannot(action: str, kinds: Set[str]) -> str:
    """Only a request can be sent again."""
    return "only a `request` can be repeated: say so in `when.kind`" if action == "duplicate" and kinds != {"request"} else ""


class _Asked(NamedTuple):
    id: str
    method: str
    at: float


class _Half:
    """One direction: the beginning of a head, or the message that is being read."""

    def __init__(self) -> None:
        self.buffer = b""
        self.event: Event | None = None
        self.body: Body | None = None
        self.told = False  #: the event of the message is told already; the rest of it only passes


class Http:
    """Both directions of a connection."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._halves = {"up": _Half(), "down": _Half()}
        self._asked: deque[_Asked] = deque()
        self._count = 0
        self._tunnel = False  #: from here on it is not HTTP any more, as both sides have agreed

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        half = self._halves[direction]
        old = len(half.buffer)
        if old:
            data, half.buffer = half.buffer + data, b""
        at, size = 0, len(data)
        while at < size:
            if self._tunnel:
                pieces.append(Piece(size - old, 0, None, State.DONE))
                return
            if half.body is not None:
                begin = at
                at, over = half.body.read(data, at)
                assert half.event is not None
                half.event["size"] += at - begin
                if over:
                    pieces.append(self._finish(half, at - old))
                elif half.told:
                    pieces.append(Piece(at - old, 0, None, State.OPEN))
                continue
            begin = at
            while direction == "up" and data[begin : begin + 2] == b"\r\n":
                begin += 2
            if begin >= size - 1:
                half.buffer = data[at:]
                return
            end = find_end(data, begin, direction == "up")
            if not end:
                half.buffer = data[at:]
                return
            pieces.append(self._head(half, direction, Head(data[begin:end], direction == "up"), end - at, end - old, now))
            at = end

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        half = self._halves[direction]
        if not ended or half.event is None or half.told:
            return []
        return self._finish(half, 0).events or []

    def lost(self, events: list[Event]) -> None:
        ids = {event.get("id") for event in events if event["kind"] == "request"}
        if ids:
            self._asked = deque(one for one in self._asked if one.id not in ids)

    def _head(self, half: _Half, direction: Direction, head: Head, size: int, end: int, now: float) -> Piece:
        if direction == "up":
            self._count += 1
            if len(self._asked) >= MAX_ASKED:
                raise Undecodable(f"more than {MAX_ASKED} requests wait for an answer")
            asked = _Asked(f"{self._connection}.{self._count}", head.method, now)
            self._asked.append(asked)
            half.event = {"kind": "request", "id": asked.id, "size": size, "method": head.method, "path": head.path}
            half.body = head.body("")
        else:
            if 100 <= head.status < 200 and head.status != 101:
                return Piece(end, 0, None, State.DONE)
            half.event = {"kind": "response", "size": size, "status": head.status}
            method = ""
            if self._asked:
                name, method, at = self._asked.popleft()
                half.event |= {"id": name, "latency": round(now - at, 6)}
            half.body = head.body(method)
            self._tunnel = head.status == 101 or (method == "CONNECT" and 200 <= head.status < 300)
        if half.body is None:
            return self._finish(half, end)
        if not head.streams:
            return Piece(end, 0, None, State.MORE)
        half.told = True
        return Piece(end, 0, [dict(half.event)], State.OPEN)

    @staticmethod
    def _finish(half: _Half, end: int) -> Piece:
        """The message is whole."""
        event, body, told = half.event, half.body, half.told
        half.event, half.body, half.told = None, None, False
        if event is None or told:
            return Piece(end, 0, None, State.DONE)
        event |= show(body.shown) if body is not None else {"body": ""}
        return Piece(end, 0, [event], State.DONE)
