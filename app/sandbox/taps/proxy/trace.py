"""Events on their way to the pipe: encoded at once, told in batches, bounded; what does not fit is dropped and counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]

BATCH = 0.05  #: seconds between two lines
MAX_WAITING = 2 << 20  #: bytes that wait for a slow reader
MAX_LINE = 256 << 10  #: bytes of events in one line

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Trace:
    """The events of one tap.

    Args:
        write: takes one line.
        room: whether whoever reads the pipe keeps up.
    """

    def __init__(self, write: Callable[[bytes], None], room: Callable[[], bool]) -> None:
        self._write, self._room = write, room
        self._waiting: list[bytes] = []
        self._size = self._dropped = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, event: Event) -> None:
        """Tell an event soon."""
        # The id of a rule may hold half a character pair, which UTF-8 cannot say.
        line = encode(event).encode("utf-8", "replace")
        if self._size + len(line) > MAX_WAITING:
            self._dropped += 1
            return
        self._waiting.append(line)
        self._size += len(line)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH, self._due)

    def flush(self) -> None:
        """Tell everything now, even to a slow reader."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting and not self._dropped:
            return
        waiting, self._waiting, self._size = self._waiting, [], 0
        begin = size = 0
        for place, line in enumerate(waiting):
            size += len(line)
            if size > MAX_LINE:
                self._line(waiting[begin : place + 1])
                begin, size = place + 1, 0
        if waiting[begin:] or self._dropped:
            self._line(waiting[begin:])

    def _line(self, events: list[bytes]) -> None:
        dropped, self._dropped = self._dropped, 0
        self._write(b'{"type":"events","events":[' + b",".join(events) + b'],"dropped":%d}\n' % dropped)

    def _due(self) -> None:
        self._timer = None
        if self._room():
            self.flush()
        else:
            self._timer = asyncio.get_running_loop().call_later(BATCH, self._due)
