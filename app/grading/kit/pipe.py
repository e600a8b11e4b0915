"""How a check reaches the platform: one line of JSON out, one line of JSON back.

The other end is the prober's parent process, which passes calls on to `sandboxd`.
"""

from __future__ import annotations

import json
import socket
import threading
from typing import Any, Protocol

from .words import Fault

MAX_LINE = 1 << 20


class Pipe(Protocol):
    """The way to the platform."""

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        """Ask the platform for something and wait for the answer.

        Raises:
            Fault: the platform refused or does not answer.
        """

    def send(self, frame: dict[str, Any]) -> None:
        """Tell something that needs no answer."""


class SocketPipe:
    """A `Pipe` over one end of a socket pair; may be shared by the threads of a check."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._lines = end.makefile("rb")
        self._lock = threading.Lock()
        self._number = 0

    def send(self, frame: dict[str, Any]) -> None:
        with self._lock:
            self._write(frame)

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        with self._lock:
            self._number += 1
            self._write({"type": "call", "n": self._number, "op": op, "service": service, **arguments})
            line = self._lines.readline(MAX_LINE)
        if not line:
            raise Fault(f"the platform went away during `{op}`")
        answer = json.loads(line)
        if not answer["ok"]:
            raise Fault(f"the platform refused `{op} {service}`: {answer.get('error', '')}")
        return answer.get("value")

    def _write(self, frame: dict[str, Any]) -> None:
        try:
            self._end.sendall(json.dumps(frame, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise Fault(f"the platform went away: {error}") from error
