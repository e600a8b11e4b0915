"""Heads: the first line and the few fields that say where the body ends."""

from __future__ import annotations

import re

from ...decoder import MAX_TEXT, Undecodable
from .body import Body, Chunked, Sized, UntilClose

MAX_HEAD = 64 << 10
_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\x00-\x20]{1,32768}) HTTP/1\.[01]")
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])(?: [^\r\n]*)?")
_BEGINNINGS = {
    True: re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |$)"),
    False: re.compile(rb"HTTP/1\.[01] |H(?:T(?:T(?:P(?:/(?:1(?:\.[01]?)?)?)?)?)?)?$"),
}


def find_end(data: bytes, at: int, request: bool) -> int:
    """Where the head that begins at `at` ends; 0: not yet.

    Raises:
        Undecodable: it will never be one.
    """
    if not _BEGINNINGS[request].match(data[at : at + 34]):
        raise Undecodable("not HTTP/1.1")
    line = data.find(b"\r\n", at)
    if line >= 0 and not (_REQUEST if request else _STATUS).fullmatch(data, at, line):
        raise Undecodable("a first line that is not one of HTTP/1.1")
    end = data.find(b"\r\n\r\n", at)
    if (len(data) if end < 0 else end) - at > MAX_HEAD:
        raise Undecodable(f"a head of more than {MAX_HEAD} bytes")
    if end < 0 and data.find(b"\n\n", at) >= 0:
        raise Undecodable("lines of a head without CR")
    return end + 4 if end >= 0 else 0


class Head:
    """A head that is there as a whole."""

    def __init__(self, data: bytes, request: bool) -> None:
        self._lines = data.lower()
        first = data[: data.find(b"\r\n")]
        match = (_REQUEST if request else _STATUS).fullmatch(first)
        assert match is not None  # as `find_end` has seen
        self.method = match[1].decode("ascii") if request else ""
        self.status = 0 if request else int(match[1])
        self.path = match[2].decode("utf-8", "replace")[:MAX_TEXT] if request else ""

    def field(self, name: bytes) -> bytes:
        """The value of a field, in lower case; empty: it is not there.

        Raises:
            Undecodable: it is there twice with different values.
        """
        mark = b"\r\n" + name + b":"
        found, at = b"", self._lines.find(mark)
        while at >= 0:
            begin = at + len(mark)
            end = self._lines.find(b"\r\n", begin)
            value = self._lines[begin:end].strip()
            if found and value != found:
                raise Undecodable(f"two fields {name.decode()}")
            found, at = value, self._lines.find(mark, end)
        return found

    def body(self, asked: str) -> Body | None:
        """How to read the body; None: there is none.

        Args:
            asked: the method of the request that is answered; empty for a request.
        """
        if (
            asked == "HEAD"
            or self.status in (204, 304)
            or 100 <= self.status < 200
            or (asked == "CONNECT" and self.status < 300)
        ):
            return None
        if coding := self.field(b"transfer-encoding"):
            if coding.endswith(b"chunked"):
                return Chunked()
            if self.method:
                raise Undecodable("a request of unknown length")
            return UntilClose()
        length = self.field(b"content-length")
        if not length:
            return None if self.method else UntilClose()
        if not length.isdigit() or len(length) > 15:
            raise Undecodable("a length that is no number")
        return Sized(int(length)) if int(length) else None

    @property
    def streams(self) -> bool:
        """Whether the message has to pass before it is whole: events without end, or a client that waits before it sends."""
        return self.field(b"content-type").startswith(b"text/event-stream") or self.field(b"expect") == b"100-continue"
