"""Where a body ends, and how it begins."""

from __future__ import annotations

from ...decoder import MAX_TEXT, Undecodable

_PREVIEW = 4 * MAX_TEXT + 1
MAX_LINE = 4096  #: bytes of a chunk's size line or of a trailer
_MAX_TRAILERS = 100


class Body:
    """A body that is being read. `shown` is its beginning, without the marks of chunks."""

    def __init__(self) -> None:
        self.shown = bytearray()

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        """Read from `at`; where it left off and whether the body has ended there."""
        raise NotImplementedError

    def _show(self, data: bytes, begin: int, end: int) -> None:
        room = _PREVIEW - len(self.shown)
        if room > 0:
            self.shown += data[begin : min(end, begin + room)]


class Sized(Body):
    """Of an announced length."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._left = length

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        end = min(len(data), at + self._left)
        self._show(data, at, end)
        self._left -= end - at
        return end, not self._left


class UntilClose(Body):
    """Ends with the connection."""

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        self._show(data, at, len(data))
        return len(data), False


class Chunked(Body):
    """In chunks: a line with the size, the bytes, an empty line; after the last one trailers."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0  #: bytes of the chunk
        self._state = "size"
        self._line = b""
        self._trailers = 0

    def read(self, data: bytes, at: int) -> tuple[int, bool]:
        while at < len(data):
            if self._state == "data":
                end = min(len(data), at + self._left)
                self._show(data, at, end)
                self._left -= end - at
                at = end
                if not self._left:
                    self._state = "after"
                continue
            newline = data.find(b"\n", at)
            end = newline + 1 or len(data)
            self._line += data[at:end]
            if len(self._line) > MAX_LINE:
                raise Undecodable("a line between chunks is too long")
            at = end
            if newline >= 0:
                line, self._line = self._line.strip(), b""
                if self._over(line):
                    return at, True
        return at, False

    def _over(self, line: bytes) -> bool:
        """Take a line; whether the body is over."""
        if self._state == "after":
            if line:
                raise Undecodable("a chunk is longer than announced")
            self._state = "size"
        elif self._state == "size":
            digits = line.partition(b";")[0].strip()
            if not digits or len(digits) > 12 or digits.strip(b"0123456789abcdefABCDEF"):
                raise Undecodable("a chunk without its size")
            self._left = int(digits, 16)
            self._state = "data" if self._left else "trailers"
        else:
            self._trailers += 1
            if self._trailers > _MAX_TRAILERS:
                raise Undecodable("too many trailers")
            return not line
        return False
