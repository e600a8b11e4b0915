"""The doorbell that needs nothing: it rings by itself."""

from __future__ import annotations

import random
import threading


class PollingDoorbell:
    """Wakes a waiting worker at once within its own process; workers of other processes look again when their wait ends."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        self._rung.set()

    def wait(self, seconds: float) -> None:
        self._rung.wait(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads workers, guards nothing
        self._rung.clear()

    def close(self) -> None:
        self._rung.set()
