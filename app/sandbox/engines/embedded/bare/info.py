"""Reads what bubblewrap tells on its --info-fd: the pid of the process that will become the sandbox's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

from .loop import Loop

_MOST_BYTES = 4096


class Info:
    """A pipe to bubblewrap; `on_child` is called once with the pid. `write_end` is for the child; the caller closes it."""

    def __init__(self, loop: Loop, on_child: Callable[[int], None]) -> None:
        self._loop = loop
        self._on_child = on_child
        self._data = b""
        self._fd, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._fd, False)
        loop.watch(self._fd, self.look)

    def close(self) -> None:
        """Idempotent."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1

    def look(self) -> None:
        """Read what has come."""
        if self._fd < 0:
            return
        try:
            data = os.read(self._fd, _MOST_BYTES)
        except BlockingIOError:
            return
        self._data += data
        if not data or len(self._data) > _MOST_BYTES:
            self.close()
            return
        try:  # it comes in pieces
            child = int(json.loads(self._data)["child-pid"])
        except ValueError:
            return
        self.close()
        self._on_child(child)
