"""Copies of publishes on a channel of the tap's own: the client's channel would count confirms that it did not ask for."""

from __future__ import annotations

import struct

from .decoder import Amqp

_HEAD = struct.Struct(">BHI")
_OPEN, _CLOSE_OK = b"\x00\x14\x00\x0a\x00", b"\x00\x14\x00\x29"


class Copies:
    """Makes frames for the tap's own channel, which is opened with the first copy and again after an error."""

    def __init__(self, decoder: Amqp) -> None:
        self._decoder = decoder
        self._new = decoder.ours < 0
        if self._new:
            decoder.ours = decoder.free_channel()
        self.channel = decoder.ours

    def of(self, unit: bytes) -> bytes:
        """The frames of one publish once more."""
        frames = []
        if self._decoder.ours_closed:
            frames += [self._frame(_CLOSE_OK), self._frame(_OPEN)]
        elif self._new:
            frames.append(self._frame(_OPEN))
        self._decoder.ours_closed = False
        at = 0
        while at < len(unit):
            frame, _, length = _HEAD.unpack_from(unit, at)
            end = at + 8 + length
            frames.append(_HEAD.pack(frame, self.channel, length) + unit[at + 7 : end])
            at = end
        return b"".join(frames)

    def _frame(self, method: bytes) -> bytes:
        return _HEAD.pack(1, self.channel, len(method)) + method + b"\xce"
