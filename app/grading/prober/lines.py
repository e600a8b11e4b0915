"""Lines of JSON over file descriptors, with deadlines and a cap."""

from __future__ import annotations

import json
import os
import select
import time
from typing import Any

MAX_LINE = 1 << 20


class LineReader:
    """Reads whole lines; never blocks beyond a deadline."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()

    def read(self, deadline: float) -> dict[str, Any] | None:
        """The next object, or None at the end of the stream.

        Raises:
            TimeoutError: `deadline` (monotonic seconds) passed.
            ValueError: the line is too long or not a JSON object.
        """
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_LINE:
                raise ValueError("the line is too long")
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise TimeoutError
            piece = os.read(self._descriptor, 65536)
            if not piece:
                return None
            self._buffer += piece
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        value = json.loads(line)
        if not isinstance(value, dict):
            raise ValueError("the line is not a JSON object")
        return value


def write_line(descriptor: int, frame: dict[str, Any]) -> None:
    """Write one object as one line, all of it."""
    data = memoryview(json.dumps(frame, ensure_ascii=False).encode() + b"\n")
    while data:
        data = data[os.write(descriptor, data) :]
