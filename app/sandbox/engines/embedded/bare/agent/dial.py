"""Connects to a service and hands the connected socket over, without ever waiting."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from ..loop import WRITE, Loop


class Dial:
    """A connection in the making; the loop keeps it alive until it has answered."""

    def __init__(self, loop: Loop, address: str, port: int, timeout: float, answer: Callable[..., None]) -> None:
        self._loop = loop
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._timer = loop.later(timeout, lambda: self._finish(errno.ETIMEDOUT))
        code = self._socket.connect_ex((address, port))
        if code == errno.EINPROGRESS:
            loop.watch(self._socket.fileno(), self._connected, WRITE)
        else:
            loop.later(0, lambda: self._finish(code))

    def _connected(self) -> None:
        if self._socket.fileno() >= 0:
            self._finish(self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

    def _finish(self, code: int) -> None:
        self._timer.cancel()
        self._loop.forget(self._socket.fileno())
        with self._socket:
            if code:
                self._answer({"refused": os.strerror(code)})
            else:
                self._socket.setblocking(True)
                self._answer({}, b"", [self._socket.fileno()])
