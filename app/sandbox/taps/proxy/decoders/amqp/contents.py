"""Methods with a content: publish, return, deliver and what a get brings. They are whole with the last byte of the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...decoder import MAX_TEXT, Undecodable, show
from ...trace import Event
from .arguments import Arguments, persistent
from .channel import Channel, Delivery

_KEPT = ("queue", "exchange", "routing_key", "redelivered", "body")
_PREVIEW = 4 * MAX_TEXT + 1


class Content:
    """One message on its way."""

    def __init__(self, event: Event, size: int) -> None:
        self.event = event
        self.left = -1  #: bytes of the body that are to come; -1: the header has not come yet
        self.size = size
        self.shown = bytearray()

    def header(self, read: Arguments) -> None:
        """The frame with the size and the properties."""
        read.short()
        read.short()
        self.left = read.longlong()
        if self.left > 1 << 40:
            raise Undecodable("a body of more than a terabyte")
        mode = persistent(read)
        if self.event["kind"] == "publish":
            self.event["persistent"] = mode

    def body(self, data: bytes, begin: int, end: int) -> None:
        """Bytes of the body."""
        self.left -= end - begin
        if self.left < 0:
            raise Undecodable("a body is longer than announced")
        room = _PREVIEW - len(self.shown)
        if room > 0:
            self.shown += data[begin : min(end, begin + room)]

    def finish(self, channel: Channel, now: float) -> Event:
        """The event, now that all has come."""
        event = self.event
        event |= {"size": self.size, **show(self.shown)}
        if event["kind"] in ("deliver", "get"):
            tag = event["delivery_tag"]
            event["id"] = f"{channel.name}.{tag}"
            if not event["no_ack"]:
                channel.deliver(tag, Delivery(event["id"], now, {name: event[name] for name in _KEPT}))
        elif event["kind"] == "publish":
            event["id"] = channel.publish(now)
        return event


def _publish(channel: Channel, read: Arguments) -> Event:
    read.short()
    exchange, key, bits = read.text(), read.text(), read.octet()
    return {"kind": "publish", "exchange": exchange, "routing_key": key, "mandatory": bool(bits & 1)}


def _return(channel: Channel, read: Arguments) -> Event:
    code, text, exchange, key = read.short(), read.text(), read.text(), read.text()
    return {"kind": "return", "code": code, "text": text, "exchange": exchange, "routing_key": key}


def _deliver(channel: Channel, read: Arguments) -> Event:
    consumer = read.text()
    queue, no_ack = channel.consumers.get(consumer, ("", False))
    return _delivered("deliver", read, queue=queue, consumer_tag=consumer, no_ack=no_ack)


def _got(channel: Channel, read: Arguments) -> Event:
    queue, no_ack = channel.gets.popleft() if channel.gets else ("", False)
    return _delivered("get", read, queue=queue, no_ack=no_ack)


def _delivered(kind: str, read: Arguments, **more: Any) -> Event:
    tag, bits, exchange, key = read.longlong(), read.octet(), read.text(), read.text()
    event = {"kind": kind, "delivery_tag": tag, "redelivered": bool(bits & 1), "exchange": exchange, "routing_key": key}
    return {**event, **more}


UP: Mapping[tuple[int, int], Callable[[Channel, Arguments], Event]] = {(60, 40): _publish}
DOWN: Mapping[tuple[int, int], Callable[[Channel, Arguments], Event]] = {(60, 50): _return, (60, 60): _deliver, (60, 71): _got}
