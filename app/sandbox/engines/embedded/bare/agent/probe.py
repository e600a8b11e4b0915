"""Readiness: asks a service, from inside the pod and without ever waiting, whether it answers."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable

from ..loop import READ, WRITE, Loop, Timer

_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.015, 0.25, 1.25
#: A packet to an interface that has just come up may be lost; the kernel would send it again only after a second.
_CONNECT_S, _ANSWER_S = 0.15, 2.0
_MOST_BYTES = 4096
_AMQP_HELLO = b"AMQP\x00\x00\x09\x01"
_POSTGRES_PARAMETERS = b"user\0prober\0database\0postgres\0\0"
#: Length, protocol 3.0, parameters. An account that the image has: a name that nobody knows would be a line in its log.
_POSTGRES_HELLO = struct.pack("!II", 8 + len(_POSTGRES_PARAMETERS), 3 << 16) + _POSTGRES_PARAMETERS


def _http_answers(data: bytes) -> bool | None:
    line, newline, _ = data.partition(b"\r\n")
    if not newline and len(data) < _MOST_BYTES:
        return None
    parts = line.split(b" ", 2)
    return parts[0].startswith(b"HTTP/1.") and len(parts) > 1 and parts[1][:1] in (b"2", b"3")


def _amqp_answers(data: bytes) -> bool | None:
    """A broker that is up answers the protocol header with connection.start: a method frame, class 10, method 10."""
    if len(data) < 11:
        return None
    return data[0] == 1 and data[7:11] == b"\x00\x0a\x00\x0a"


def _postgres_answers(data: bytes) -> bool | None:
    """A server that is up asks for the password; one that is still starting answers with an error."""
    return data[:1] == b"R"


class Probe:
    """Tries again and again, with growing pauses, until it succeeds once or is stopped."""

    def __init__(self, loop: Loop, kind: str, address: str, port: int, path: str, on_ready: Callable[[], None]) -> None:
        self._loop = loop
        self._target = (address, port)
        self._on_ready = on_ready
        self._pause = _FIRST_PAUSE_S
        self._socket: socket.socket | None = None
        self._timer: Timer | None = None
        self._data = b""
        self._judge: Callable[[bytes], bool | None] | None = None
        self._question = b""
        if kind == "http":
            self._judge = _http_answers
            self._question = f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
        elif kind == "amqp":
            self._judge = _amqp_answers
            self._question = _AMQP_HELLO
        elif kind == "postgres":
            self._judge = _postgres_answers
            self._question = _POSTGRES_HELLO
        self._try()

    def stop(self) -> None:
        """Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _try(self) -> None:
        self._data = b""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        code = self._socket.connect_ex(self._target)
        if code not in (0, errno.EINPROGRESS):
            self._again()
            return
        self._timer = self._loop.later(_CONNECT_S, self._again)
        self._loop.watch(self._socket.fileno(), self._connected, WRITE)

    def _connected(self) -> None:
        if self._socket is None:
            return
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._again()
        elif self._judge is None:
            self._succeed()
        else:
            try:
                self._socket.send(self._question)
            except OSError:
                self._again()
                return
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.later(_ANSWER_S, self._again)
            self._loop.watch(self._socket.fileno(), self._answered, READ)

    def _answered(self) -> None:
        if self._socket is None or self._judge is None:
            return
        try:
            data = self._socket.recv(_MOST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._data += data
        verdict = self._judge(self._data) if data else False
        if verdict:
            self._succeed()
        elif verdict is False:
            self._again()

    def _succeed(self) -> None:
        self.stop()
        self._on_ready()

    def _again(self) -> None:
        self.stop()
        self._timer = self._loop.later(self._pause, self._try)
        self._pause = min(_LONGEST_PAUSE_S, self._pause * _GROWTH)
