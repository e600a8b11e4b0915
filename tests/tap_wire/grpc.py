"""HTTP/2 and the messages of gRPC."""

from __future__ import annotations

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GOAWAY, CONTINUATION = 0, 1, 3, 4, 7, 9
END_STREAM, END_HEADERS, PADDED, PRIORITY = 1, 4, 8, 0x20


def frame(sort: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame."""
    return len(payload).to_bytes(3, "big") + bytes([sort, flags]) + stream.to_bytes(4, "big") + payload


def text(body: bytes) -> bytes:
    """A message."""
    return b"\0" + len(body).to_bytes(4, "big") + body
