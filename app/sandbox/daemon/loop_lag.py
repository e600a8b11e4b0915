"""How late the event loop comes: what blocks it blocks every sandbox."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)
INTERVAL = 0.05
TOO_LATE = 0.2
_RECENT_SECONDS = 60.0


class LoopLag:
    """Wakes up twenty times a second and notes how late that was, in seconds.

    The time during which a thread could run but the machine had no core for it is not the loop's fault and left out.

    Attributes:
        worst: since the start.
    """

    def __init__(self) -> None:
        self.worst = 0.0
        self._recent: deque[tuple[float, float]] = deque()

    @property
    def recent(self) -> float:
        """The worst of the last minute."""
        horizon = time.monotonic() - _RECENT_SECONDS
        return max((lag for at, lag in self._recent if at >= horizon), default=0.0)

    async def watch(self) -> None:
        """Run until cancelled."""
        while True:
            due, waits = time.monotonic() + INTERVAL, _waits()
            await asyncio.sleep(INTERVAL)
            self._note(time.monotonic() - due - _waited(waits, _waits()))

    def _note(self, lag: float) -> None:
        now, lag = time.monotonic(), max(0.0, lag)
        self.worst = max(self.worst, lag)
        while self._recent and (self._recent[0][0] < now - _RECENT_SECONDS or len(self._recent) > 100):
            self._recent.popleft()
        # Only what beats the last value is worth keeping; the rest cannot become the maximum.
        while self._recent and self._recent[-1][1] <= lag:
            self._recent.pop()
        self._recent.append((now, lag))
        if lag > TOO_LATE:
            log.warning("the loop was blocked for %.0f ms (run with SOTY_LOG_LEVEL=debug to see by what)", lag * 1000)


def _waits() -> dict[str, float]:
    """Seconds that each thread of this process was ready to run and got no core; empty where the kernel does not tell."""
    waits = {}
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError, ValueError, IndexError):  # a thread that ends while we look
            waits[task.name] = int((task / "schedstat").read_bytes().split()[1]) / 1e9
    return waits


def _waited(before: dict[str, float], after: dict[str, float]) -> float:
    """The longest of those waits: another thread may have held the interpreter's lock meanwhile."""
    return max((seconds - before.get(thread, seconds) for thread, seconds in after.items()), default=0.0)
