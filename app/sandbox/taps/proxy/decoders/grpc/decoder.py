"""Frames of HTTP/2 and the calls that they belong to."""

from __future__ import annotations

import struct
from collections.abc import Set

from ...decoder import Direction, Kinds, Piece, State, Undecodable, kind
from ...trace import Event
from . import codes
from .headers import MAX_BLOCK, Blocks
from .stream import Stream

MAX_STREAMS = 1000  #: calls of one connection at the same time
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD = struct.Struct(">HBBBI")
_DATA, _HEADERS, _RESET, _SETTINGS, _PROMISE, _CONTINUATION = 0, 1, 3, 4, 5, 9
_SMALL = {_RESET: 4, _SETTINGS: 6 * 64}  #: frames that are read as a whole, and how long they can be
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 0x20
_TABLE_SIZE = 1
_CALL = "service method"
KINDS: Kinds = {
    "request": kind("up", _CALL),
    "message": kind("", f"{_CALL} n"),
    "response": kind("", f"{_CALL} code status messages reset"),
}


def cannot(action: str, kinds: Set[str]) -> str:
    """Headers refer to the headers before them: none may be missing, none may come twice."""
    if action == "duplicate":
        return "a frame of HTTP/2 cannot be repeated: both sides count them"
    if action == "drop" and kinds and kinds != {"message"}:
        return "only a `message` can be lost (say so in `when.kind`): a connection does not survive the loss of headers"
    return ""


class _Half:
    """One direction: the frame that is being read."""

    def __init__(self) -> None:
        self.buffer = b""
        self.blocks = Blocks()
        self.begun = False  #: the first frame has come, and it was one of settings
        self.left = self.padding = 0  #: bytes of the frame that are to come: of data, and behind it
        self.stream = 0  #: of a frame of data, or of unfinished headers
        self.block: bytearray | None = None  #: of unfinished headers
        self.ends = self.partly = False
        self.size = 0
        self.events: list[Event] = []


class Grpc:
    """Both directions of a connection."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._halves: dict[Direction, _Half] = {"up": _Half(), "down": _Half()}
        self._greeted = False
        self._streams: dict[int, Stream] = {}
        self._last = 0

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        half = self._halves[direction]
        old = len(half.buffer)
        if old:
            data, half.buffer = half.buffer + data, b""
        at, size = 0, len(data)
        if not self._greeted and direction == "up":
            if not _PREFACE.startswith(data[: len(_PREFACE)]):
                raise Undecodable("not HTTP/2 with prior knowledge")
            if size < len(_PREFACE):
                half.buffer = data
                return
            self._greeted, at = True, len(_PREFACE)
            pieces.append(Piece(at - old, 0, None, State.DONE))
        while at < size or (half.left == half.padding == 0 and half.size):
            if half.size:  # inside a frame that is not read as a whole
                step = min(half.left, size - at)
                if step and (stream := self._streams.get(half.stream)):
                    half.events += stream.data(direction, data, at, at + step)
                half.left -= step
                at += step
                step = min(half.padding, size - at) if not half.left else 0
                half.padding -= step
                at += step
                if not half.left and not half.padding:
                    pieces.append(self._data_over(half, direction, at - old, now))
                continue
            end = self._frame(half, direction, data, at, old, now, pieces)
            if not end:
                break
            at = end
        half.buffer = data[at:]

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        return []

    def lost(self, events: list[Event]) -> None:
        """A lost message is counted by its sender."""

    def _frame(self, half: _Half, direction: Direction, data: bytes, at: int, old: int, now: float, pieces: list[Piece]) -> int:
        """One frame, or its head when the rest may pass piece by piece; 0: not enough of it yet."""
        if len(data) - at < 9:
            return 0
        high, low, sort, flags, number = _HEAD.unpack_from(data, at)
        length: int = high << 8 | low
        stream: int = number & 0x7FFFFFFF
        if not half.begun and sort != _SETTINGS:
            raise Undecodable("not HTTP/2")
        half.begun = True
        if half.block is not None and (sort != _CONTINUATION or stream != half.stream):
            raise Undecodable("something else between headers")
        whole = sort in (_HEADERS, _CONTINUATION, _PROMISE)
        if (whole and length + len(half.block or b"") > MAX_BLOCK) or (sort in _SMALL and length > _SMALL[sort]):
            raise Undecodable(f"a frame of {length} bytes")
        if not whole and sort not in _SMALL:
            return self._begin(half, direction, sort, flags, stream, length, data, at)
        end = at + 9 + length
        if len(data) < end:
            return 0
        events, state = None, State.DONE
        if whole:
            events, state = self._headers(half, direction, sort, flags, stream, data[at + 9 : end], now)
        elif sort == _RESET:
            events = self._reset(direction, stream, data[at + 9 : end], now)
        elif not flags & _ACK:
            self._settings(direction, data[at + 9 : end])
        pieces.append(Piece(end - old, 0, events, state))
        return end

    def _begin(self, half: _Half, direction: Direction, sort: int, flags: int, stream: int, length: int, data: bytes,
               at: int) -> int:  # fmt: skip
        """The head of a frame whose bytes need not be there yet."""
        begin = at + 9
        half.padding = 0
        is_data = sort == _DATA
        if is_data and flags & _PADDED:
            if len(data) <= begin:
                return 0
            half.padding = data[begin]
            begin, length = begin + 1, length - 1
            if half.padding > length:
                raise Undecodable("more padding than data")
        half.stream = stream if is_data else 0
        known = self._streams.get(half.stream)
        half.left, half.size = length - half.padding, length + 9
        half.ends = is_data and bool(flags & _END_STREAM)
        half.partly = known is not None and known.within(direction)
        return begin

    def _data_over(self, half: _Half, direction: Direction, end: int, now: float) -> Piece:
        events, half.events = half.events, []
        stream = self._streams.get(half.stream)
        partly = half.partly or (stream is not None and stream.within(direction))
        if half.ends and stream is not None and direction == "down":
            del self._streams[half.stream]
            events.append(stream.response(codes.of_headers(None, stream.http), half.size, now))
        half.size = 0
        return Piece(end, 0, events or None, State.PART if partly else State.DONE)

    def _headers(
        self, half: _Half, direction: Direction, sort: int, flags: int, number: int, payload: bytes, now: float
    ) -> tuple[list[Event] | None, State]:
        if sort == _CONTINUATION:
            if half.block is None:
                raise Undecodable("headers without a beginning")
            half.block += payload
        else:
            skipped = 4 if sort == _PROMISE else 5 if flags & _PRIORITY else 0
            padding = 0
            if flags & _PADDED:
                padding, skipped = (payload or b"\0")[0], skipped + 1
            if skipped + padding > len(payload):
                raise Undecodable("headers shorter than their padding")
            half.block, half.stream = bytearray(payload[skipped : len(payload) - padding]), number
            half.ends, half.partly = bool(flags & _END_STREAM), sort == _PROMISE
        if not flags & _END_HEADERS:
            return None, State.MORE
        block, half.block = bytes(half.block), None
        headers = half.blocks.read(block)
        event = None if half.partly else self._said(direction, number, headers, half.ends, len(block) + 9, now)
        return ([event] if event else None), State.PART

    def _said(
        self, direction: Direction, number: int, headers: dict[bytes, bytes], ends: bool, size: int, now: float
    ) -> Event | None:
        if direction == "up":
            if number <= self._last:
                return None
            if len(self._streams) >= MAX_STREAMS:
                raise Undecodable(f"more than {MAX_STREAMS} calls at the same time")
            self._last = number
            path = headers.get(b":path", b"").decode("utf-8", "replace")
            grpc = headers.get(b"content-type", b"").startswith(b"application/grpc")
            stream = self._streams[number] = Stream(f"{self._connection}.{number}", path, grpc, now)
            return stream.request(size)
        known = self._streams.get(number)
        if known is None:
            return None
        known.http = headers.get(b":status", known.http)
        if not ends:
            return None
        del self._streams[number]
        return known.response(codes.of_headers(headers.get(b"grpc-status"), known.http), size, now)

    def _reset(self, direction: Direction, number: int, payload: bytes, now: float) -> list[Event] | None:
        stream = self._streams.pop(number, None)
        if stream is None:
            return None
        code = codes.of_reset(int.from_bytes(payload, "big"))
        return [{**stream.response(code, len(payload) + 9, now), "reset": True}]

    def _settings(self, direction: Direction, payload: bytes) -> None:
        other: Direction = "down" if direction == "up" else "up"
        for at in range(0, len(payload) - 5, 6):
            if int.from_bytes(payload[at : at + 2], "big") == _TABLE_SIZE:
                self._halves[other].blocks.allow(int.from_bytes(payload[at + 2 : at + 6], "big"))
