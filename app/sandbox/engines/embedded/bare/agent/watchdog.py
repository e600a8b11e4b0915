"""Soft memory ceilings, for pods without control groups: the largest process of whoever is above its ceiling is killed.

Resident pages are counted first, since that is cheap; as forked processes share them, only the proportional count decides.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pod import Pod

_SOON_S, _LATER_S = 0.1, 0.5
_NEAR = 0.6
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb(pids: list[int]) -> float:
    """Sum over processes; pages that several share count several times."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/statm") as file:
            total += int(file.read().split()[1]) * _PAGE
    return total / (1 << 20)


def _proportional_mb(pid: int) -> float:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Watchdog:
    """Looks ten times a second while something is near its ceiling, twice a second otherwise."""

    def __init__(self, pod: Pod, ceiling_mb: int) -> None:
        self._pod = pod
        self._ceiling = ceiling_mb
        self._look()

    def _look(self) -> None:
        near = False
        everything: list[int] = []
        for replica in self._pod.replicas():
            if replica.jail is None:
                continue
            if replica.group.hard:
                replica.note_kills()
                continue
            pids = replica.jail.processes()
            everything += pids
            ceiling = replica.spec["limits"]["memory_mb"]
            used = resident_mb(pids)
            near = near or used > _NEAR * ceiling
            if used > ceiling and self._kill_largest(pids, ceiling):
                replica.ran_out_of_memory()
        if everything:
            used = resident_mb(everything)
            near = near or used > _NEAR * self._ceiling
            if used > self._ceiling and self._kill_largest(everything, self._ceiling):
                self._pod.event(f"a process was killed by the memory limit of the sandbox ({self._ceiling} MiB)")
        self._pod.loop.later(_SOON_S if near else _LATER_S, self._look)

    @staticmethod
    def _kill_largest(pids: list[int], ceiling: int) -> bool:
        sizes = {pid: _proportional_mb(pid) for pid in pids}
        if sum(sizes.values()) <= ceiling:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(max(sizes, key=lambda pid: sizes[pid]), signal.SIGKILL)
        return True
