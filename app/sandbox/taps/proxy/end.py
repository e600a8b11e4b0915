"""One end of a connection: a socket under asyncio."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from .flow import Flow

_LINGER = struct.pack("ii", 1, 0)
HIGH = 32 << 10  #: bytes that may wait for a slow reader before its counterpart is not read any more
# One loop reads one socket at a time, so all can read into the same memory.
_BUFFER = memoryview(bytearray(64 << 10))


def reset(sock: socket.socket) -> None:
    """Close with an RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    sock.close()


class End(asyncio.BufferedProtocol):
    """Reads into the flow that leaves from here; what arrives is written by the other flow.

    Args:
        lost: called once when the socket is gone, with whether it was reset.
    """

    def __init__(self, lost: Callable[[End, bool], None]) -> None:
        self._lost = lost
        self.flow: Flow | None = None  #: what is read here goes there
        self.arriving: Flow | None = None  #: what writes here
        self.transport: asyncio.Transport | None = None
        self.full = self.gone = self._eof = self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(HIGH)
        # asyncio does it only for sockets that know their protocol, which accepted ones do not.
        self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.gone:
            self.reset()
        elif self.arriving is not None:
            self.arriving.pump()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _BUFFER

    def buffer_updated(self, count: int) -> None:
        if self.flow is not None:
            self.flow.data(bytes(_BUFFER[:count]))

    def eof_received(self) -> bool:
        self._over = True
        if self.flow is not None:
            self.flow.finish("eof")
        return True  # the other way stays open

    def connection_lost(self, error: Exception | None) -> None:
        self.gone, self.full = True, False
        self._lost(self, error is not None)

    def pause_writing(self) -> None:
        self.full = True
        if self.arriving is not None:
            self.arriving.press()

    def resume_writing(self) -> None:
        self.full = False
        if self.arriving is not None:
            self.arriving.press()

    def write(self, data: bytes) -> None:
        """Write, unless it is gone."""
        if not self.gone and self.transport is not None:
            self.transport.write(data)

    def read(self, wanted: bool) -> None:
        """Read on, or not for now."""
        if self.transport is None or self.gone or self._over or self.transport.is_closing():
            return
        if wanted:
            self.transport.resume_reading()
        else:
            self.transport.pause_reading()

    def finish(self) -> None:
        """Send FIN after what was written."""
        if not self.gone and self.transport is not None and not self._eof:
            self._eof = True
            if self.transport.can_write_eof() and not self.transport.is_closing():
                self.transport.write_eof()

    def close(self) -> None:
        """Close after what was written has gone out."""
        if not self.gone and self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """Close at once, with an RST."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        if self.transport is not None:
            self.transport.abort()
        self.gone, self.full = True, False
