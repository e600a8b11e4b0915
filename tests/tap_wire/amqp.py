"""AMQP 0-9-1."""

from __future__ import annotations

import struct

GREETING = b"AMQP\x00\x00\x09\x01"


def method(channel: int, name: tuple[int, int], arguments: bytes = b"") -> bytes:
    """A frame."""
    payload = struct.pack(">HH", *name) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


def content(channel: int, *bodies: bytes, promised: int | None = None) -> list[bytes]:
    """A header and the frames of its body."""
    size = sum(map(len, bodies)) if promised is None else promised
    head = struct.pack(">HHQHB", 60, 0, size, 1 << 12, 2)
    frames = [struct.pack(">BHI", 2, channel, len(head)) + head + b"\xce"]
    return frames + [struct.pack(">BHI", 3, channel, len(body)) + body + b"\xce" for body in bodies]


def short(text: str) -> bytes:
    """A short string."""
    return bytes([len(text)]) + text.encode()


OPEN, CONFIRM = (20, 10), (85, 10)


def publish(channel: int, key: str) -> bytes:
    """The method of a publish to the default exchange."""
    return method(channel, (60, 40), b"\0\0" + short("") + short(key) + b"\0")


def consume(channel: int, queue: str, tag: str, no_ack: bool = False) -> bytes:
    """A subscription."""
    return method(channel, (60, 20), b"\0\0" + short(queue) + short(tag) + bytes([2 * no_ack]) + bytes(4))


def deliver(channel: int, consumer: str, tag: int, key: str) -> bytes:
    """The method of a delivery from the default exchange."""
    return method(channel, (60, 60), short(consumer) + struct.pack(">QB", tag, 0) + short("") + short(key))


def ack(channel: int, tag: int, multiple: bool = False) -> bytes:
    """A consumer's ack, or a broker's confirm."""
    return method(channel, (60, 80), struct.pack(">QB", tag, multiple))
