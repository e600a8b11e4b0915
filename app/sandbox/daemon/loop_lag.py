"""How late the event loop comes: what blocks it blocks every sandbox."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from pathlib import Path

log = logging.getLogger(__name__)
INTERVAL = 0.05
TOO_LATE = 0.2
_RECENT_SECONDS = 60.0


class LoopLag:
    """Wakes up twenty times a second and notes how late that was, in seconds.

    The time during which the thread could run but the machine had no core for it is not the loop's fault and left out.

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
            due, waited = time.monotonic() + INTERVAL, _waited_for_a_core()
            await asyncio.sleep(INTERVAL)
            self._note(time.monotonic() - due - (_waited_for_a_core() - waited))

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


def _waited_for_a_core() -> float:
    """Seconds that this thread was ready to run and did not; 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_bytes().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0
