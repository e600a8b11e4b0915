"""Arguments of a method: read in order from one frame, never beyond it."""

from __future__ import annotations

import struct

from ...decoder import Undecodable

_SHORT, _LONG, _LONGLONG = struct.Struct(">H"), struct.Struct(">I"), struct.Struct(">Q")
_HEADERS, _MODE = 1 << 13, 1 << 12  #: flags of the properties
_TEXTS = (1 << 15, 1 << 14)  #: content type, content encoding


class Arguments:
    """A cursor."""

    def __init__(self, data: bytes, position: int, end: int) -> None:
        self._data, self._at, self._end = data, position, end

    def octet(self) -> int:
        """One byte; of bits, the first is the lowest."""
        return self._data[self._step(1)]

    def short(self) -> int:
        """Two bytes."""
        value: int = _SHORT.unpack_from(self._data, self._step(2))[0]
        return value

    def long(self) -> int:
        """Four bytes."""
        value: int = _LONG.unpack_from(self._data, self._step(4))[0]
        return value

    def longlong(self) -> int:
        """Eight bytes."""
        value: int = _LONGLONG.unpack_from(self._data, self._step(8))[0]
        return value

    def text(self) -> str:
        """A short string."""
        size = self.octet()
        at = self._step(size)
        return self._data[at : at + size].decode("utf-8", "replace")

    def skip_table(self) -> None:
        """A table that nobody wants to know."""
        self._step(self.long())

    def _step(self, size: int) -> int:
        at = self._at
        if at + size > self._end:
            raise Undecodable("a method is shorter than its arguments")
        self._at = at + size
        return at


def persistent(arguments: Arguments) -> bool:
    """Whether the properties, with their flags, say delivery mode 2."""
    flags = arguments.short()
    more = flags
    while more & 1:
        more = arguments.short()
    for flag in _TEXTS:
        if flags & flag:
            arguments.text()
    if flags & _HEADERS:
        arguments.skip_table()
    return bool(flags & _MODE) and arguments.octet() == 2
