"""What a process writes: kept up to a ceiling, dropped and counted above it, and never faster than we care to read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ..loop import Loop

_CHUNK = 64 << 10
#: Above its ceiling a flood is read at this pace only; the writer waits, as it would on a slow terminal.
_DROP_PER_SECOND = 4 << 20
_TAIL = 16 << 10


class Capture:
    """Collects output of one or, one after another, several pipes. Offsets count kept bytes."""

    def __init__(self, loop: Loop, ceiling: int, on_data: Callable[[], None] | None = None) -> None:
        self._loop = loop
        self._ceiling = ceiling
        self._kept = bytearray()
        self._tail = b""
        self._on_data = on_data
        self._open: set[int] = set()
        self._window = (0.0, 0)
        self.dropped = 0

    @property
    def size(self) -> int:
        """Bytes kept."""
        return len(self._kept)

    @property
    def open(self) -> bool:
        """Whether somebody still can write."""
        return bool(self._open)

    def read(self, offset: int, limit: int) -> bytes:
        """Kept bytes from `offset`."""
        return bytes(self._kept[offset : offset + limit])

    def tail(self, limit: int = _TAIL) -> bytes:
        """The last bytes written to the newest pipe, kept or not."""
        return self._tail[-limit:]

    def pipe(self, owner: int | None = None) -> int:
        """A new write end; the caller closes it once it has been handed on.

        `owner` (a uid of the pod) may open it again through /dev/stdout.
        """
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        if owner is not None:
            os.fchown(theirs, owner, owner)
        self._tail = b""
        self._open.add(ours)
        self._loop.watch(ours, lambda: self._readable(ours))
        return theirs

    def close(self) -> None:
        """Stop reading; writers get SIGPIPE."""
        for fd in self._open:
            self._loop.forget(fd)
            os.close(fd)
        self._open.clear()

    def _readable(self, fd: int) -> None:
        if fd not in self._open:
            return
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self._loop.forget(fd)
            self._open.discard(fd)
            os.close(fd)
            return
        room = self._ceiling - len(self._kept)
        self._kept += data[: max(0, room)]
        lost = max(0, len(data) - room)
        self.dropped += lost
        self._tail = (self._tail + data)[-_TAIL:]
        if lost:
            self._slow_down(fd, lost)
        if self._on_data is not None:
            self._on_data()

    def _slow_down(self, fd: int, lost: int) -> None:
        start, count = self._window
        now = time.monotonic()
        if now - start > 1.0:
            start, count = now, 0
        count += lost
        self._window = (start, count)
        if count > _DROP_PER_SECOND:
            self._loop.forget(fd)
            self._loop.later(start + 1.0 - now, lambda: self._resume(fd))

    def _resume(self, fd: int) -> None:
        if fd in self._open:
            self._loop.watch(fd, lambda: self._readable(fd))
