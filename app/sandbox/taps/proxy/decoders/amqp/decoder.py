"""Frames of AMQP 0-9-1 and the channels that they belong to."""

from __future__ import annotations

import struct
from collections.abc import Set

from ...decoder import Direction, Kinds, Piece, State, Undecodable, kind
from ...trace import Event
from . import contents, methods
from .arguments import Arguments
from .channel import Channel, Waiting
from .contents import Content

MAX_METHOD = 128 << 10  #: bytes of a method or header frame
MAX_BODY = 16 << 20  #: bytes of a body frame
MAX_CHANNELS = 2048
_GREETING = b"AMQP\x00\x00\x09\x01"
_HEAD, _METHOD = struct.Struct(">BHI"), struct.Struct(">HH")
_END = 0xCE
_CHANNEL_CLOSE = b"\x00\x14\x00\x28"
_FRAME_METHOD, _FRAME_HEADER, _FRAME_BODY, _FRAME_HEARTBEAT = 1, 2, 3, 8
_DELIVERED = "queue delivery_tag redelivered no_ack exchange routing_key"
_CLOSED = kind("", "code text")
_SETTLED = kind("up", "queue exchange routing_key redelivered delivery_tag multiple requeue ids")
_CONFIRMED = kind("down", "delivery_tag multiple ids")
KINDS: Kinds = {
    "publish": kind("up", "exchange routing_key persistent mandatory"),
    "confirm": _CONFIRMED,
    "refuse": _CONFIRMED,
    "return": kind("down", "code text exchange routing_key"),
    "deliver": kind("down", f"{_DELIVERED} consumer_tag"),
    "get": kind("down", _DELIVERED),
    "get-empty": kind("down", "queue"),
    "ack": _SETTLED,
    "nack": _SETTLED,
    "reject": _SETTLED,
    "declare": kind("up", "queue durable passive"),
    "declare-exchange": kind("up", "exchange type durable passive"),
    "bind": kind("up", "queue exchange routing_key"),
    "qos": kind("up", "prefetch global"),
    "consume": kind("up", "queue no_ack consumer_tag"),
    "confirm-select": kind("up"),
    "channel-open": kind("up"),
    "channel-close": _CLOSED,
    "connection-close": _CLOSED,
}


def cannot(action: str, kinds: Set[str]) -> str:
    """Only a publish has a copy that a broker takes."""
    return "only a `publish` can be repeated: say so in `when.kind`" if action == "duplicate" and kinds != {"publish"} else ""


class _Half:
    """One direction: what is not a whole frame yet."""

    def __init__(self) -> None:
        self.buffer = b""
        self.left = 0  #: bytes of a body frame that are to come, its end octet among them
        self.channel = 0  #: whose
        self.contents: dict[int, Content] = {}


class Amqp:
    """Both directions of a connection."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._halves = {"up": _Half(), "down": _Half()}
        self._greeted = False
        self._channels: dict[int, Channel] = {}
        self._waiting = Waiting()
        self._opened = 0
        self.channel_max = 2047
        self.ours = -1  #: the channel of the tap itself, once it has one
        self.ours_closed = False  #: the broker has closed it

    def feed(self, direction: Direction, data: bytes, now: float, pieces: list[Piece]) -> None:
        half = self._halves[direction]
        old = len(half.buffer)
        if old:
            data = half.buffer + data
        at, size = 0, len(data)
        if not self._greeted and direction == "up":
            if not _GREETING.startswith(data[:8]):
                raise Undecodable("not AMQP 0-9-1")
            if size >= 8:
                self._greeted = True
                at = 8
                pieces.append(Piece(8 - old, 0, None, State.DONE))
            else:
                half.buffer = data
                return
        while at < size:
            if half.left:
                at = self._body(half, direction, data, at, old, now, pieces)
                continue
            if size - at < 7:
                break
            frame, channel, length = _HEAD.unpack_from(data, at)
            if frame == _FRAME_BODY:
                at += 7
                self._begin_body(half, channel, length)
                continue
            if length > MAX_METHOD:
                raise Undecodable(f"a frame of {length} bytes")
            end = at + 8 + length
            if size < end:
                break
            if data[end - 1] != _END:
                raise Undecodable("a frame without its end")
            piece = self._frame(half, direction, frame, channel, data, at + 7, end - 1, now)
            pieces.append(Piece(end - old, channel, *piece))
            at = end
        half.buffer = data[at:]

    def rest(self, direction: Direction, now: float, ended: bool) -> list[Event]:
        return []

    def lost(self, events: list[Event]) -> None:
        for event in events:
            channel = next((one for one in self._channels.values() if event.get("id", "").startswith(f"{one.name}.")), None)
            if channel is None:
                continue
            if event["kind"] == "publish":
                channel.unpublish(event["id"])
            elif event["kind"] in ("ack", "nack", "reject"):
                channel.unsettle(event["ids"])

    def free_channel(self) -> int:
        """A number that the client does not use."""
        number = self.channel_max
        while number in self._channels:
            number -= 1
        return number

    def _begin_body(self, half: _Half, channel: int, length: int) -> None:
        content = half.contents.get(channel)
        if channel != self.ours and (content is None or content.left < 0):
            raise Undecodable("a body without its header")
        if length > MAX_BODY:
            raise Undecodable(f"a frame of {length} bytes")
        if content is not None:
            content.size += length + 8
        half.left, half.channel = length + 1, channel

    def _body(self, half: _Half, direction: Direction, data: bytes, at: int, old: int, now: float, pieces: list[Piece]) -> int:
        """Read on in a body frame; where it left off."""
        end = min(at + half.left, len(data))
        half.left -= end - at
        payload = end if half.left else end - 1
        content = half.contents.get(half.channel)
        if content is not None:
            content.body(data, at, payload)
        if half.left:
            return end
        if data[end - 1] != _END:
            raise Undecodable("a frame without its end")
        pieces.append(Piece(end - old, half.channel, *self._whole(half, half.channel, now)))
        return end

    def _whole(self, half: _Half, number: int, now: float) -> tuple[list[Event] | None, State]:
        """What a content has come to after one of its frames."""
        content = half.contents.get(number)
        if content is None:
            return None, State.DONE
        if content.left:
            return None, State.MORE
        del half.contents[number]
        return [content.finish(self._channel(number), now)], State.DONE

    def _frame(
        self, half: _Half, direction: Direction, frame: int, number: int, data: bytes, at: int, end: int, now: float
    ) -> tuple[list[Event] | None, State]:
        if frame == _FRAME_HEARTBEAT:
            return None, State.DONE
        if number == self.ours:
            self.ours_closed |= frame == _FRAME_METHOD and data[at : at + 4] == _CHANNEL_CLOSE
            return None, State.DONE
        if frame == _FRAME_HEADER:
            content = half.contents.get(number)
            if content is None or content.left >= 0:
                raise Undecodable("a header without its method")
            content.size += end - at + 8
            content.header(Arguments(data, at, end))
            return self._whole(half, number, now)
        if frame != _FRAME_METHOD or end - at < 4:
            raise Undecodable(f"a frame of type {frame}")
        if number in half.contents:
            raise Undecodable("a method inside a content")
        method = _METHOD.unpack_from(data, at)
        read, size = Arguments(data, at + 4, end), end - at + 8
        if method[0] in (10, 20):
            event = self._lifecycle(direction, method, number, read)
        else:
            up = direction == "up"
            if begin := (contents.UP if up else contents.DOWN).get(method):
                half.contents[number] = Content(begin(self._channel(number), read), size)
                return None, State.MORE
            act = (methods.UP if up else methods.DOWN).get(method)
            event = act(self._channel(number), read, now) if act else None
        if event is None:
            return None, State.DONE
        event["size"] = size
        return [event], State.DONE

    def _channel(self, number: int) -> Channel:
        channel = self._channels.get(number)
        if channel is None:
            raise Undecodable(f"channel {number} is not open")
        return channel

    def _lifecycle(self, direction: Direction, method: tuple[int, int], number: int, read: Arguments) -> Event | None:
        """Methods of connections and channels."""
        if method == (20, 10):
            self._opened += 1
            if len(self._channels) >= MAX_CHANNELS:
                raise Undecodable(f"more than {MAX_CHANNELS} channels")
            name = f"{self._connection}.{self._opened}"
            self._channels[number] = Channel(name, self._waiting)
            return {"kind": "channel-open", "id": name}
        if method == (20, 40):
            # The other side may still send on it until it has answered.
            return {"kind": "channel-close", "code": read.short(), "text": read.text(), "id": self._channel(number).name}
        if method == (20, 41):
            if channel := self._channels.pop(number, None):
                channel.close()
            for half in self._halves.values():
                half.contents.pop(number, None)
        elif method == (10, 31):
            self.channel_max = read.short() or 65535
        elif method == (10, 50):
            return {"kind": "connection-close", "code": read.short(), "text": read.text()}
        return None
