"""Waiting for facts instead of sleeping, with limits that fit the machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_STEP, _LONGEST_STEP = 0.02, 0.25


@dataclass(frozen=True, slots=True)
class Clock:
    """Limits stretched by `scale`, the slowness of this sandbox (1..6) against a quiet machine."""

    scale: float = 1.0

    def limit(self, seconds: float) -> float:
        """`seconds` on a quiet machine, in seconds of this one."""
        return seconds * self.scale


def poll(true: Callable[[], bool], within: float) -> bool:
    """Ask until `true()` holds or `within` seconds are over; it is always asked once more at the end."""
    deadline = time.monotonic() + within
    step = _FIRST_STEP
    while not true():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(step, max(left, 0.001)))
        step = min(step * 1.5, _LONGEST_STEP)
    return True
