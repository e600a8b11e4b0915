"""PostgreSQL, protocol 3."""

from __future__ import annotations

import struct

STARTUP = struct.pack(">II", 24, 3 << 16) + b"user\0anna\0\0\0\0\0\0\0"


def message(sort: bytes, body: bytes = b"") -> bytes:
    """A message."""
    return sort + struct.pack(">I", len(body) + 4) + body


READY = message(b"Z", b"I")


def query(text: str) -> bytes:
    """A simple query."""
    return message(b"Q", text.encode() + b"\0")


def extended(text: str, name: bytes = b"") -> bytes:
    """Parse, bind and execute, without the sync."""
    return message(b"P", name + b"\0" + text.encode() + b"\0\0\0") + again(name)


def again(name: bytes = b"") -> bytes:
    """Bind and execute."""
    return message(b"B", b"\0" + name + b"\0\0\0\0\0\0\0") + message(b"E", b"\0\0\0\0\0")
