"""Who may start a sandbox now, and who waits how long. Pure bookkeeping: no clock, disk or engine of its own."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from app.errors import PlatformError
from app.sandbox.model import Purpose

OVERDUE_SECONDS = 30.0  #: who has waited this long goes before everybody
DEFAULT_SHARE = 0.6  #: of the memory that is free at start
_RANK = {Purpose.PRACTICE: 0, Purpose.GRADING: 1, Purpose.PROOF: 2}
_USUAL_STAY = {Purpose.PRACTICE: 600.0, Purpose.GRADING: 30.0, Purpose.PROOF: 30.0}
_RESERVE_MB = 512
_SLOTS_PER_CORE = 8  #: a practice sandbox mostly waits for its learner


class TooBig(PlatformError):
    """The sandbox needs more memory than this machine gives to all of them."""

    code = "sandbox-too-big"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What all sandboxes share. `checking` bounds gradings and proofs, which keep a core busy each."""

    memory_mb: int
    slots: int
    checking: int


@dataclass(frozen=True, slots=True)
class Request:
    """One sandbox that wants to start. `memory_mb` is its ceiling, which stays reserved until it leaves."""

    id: str
    purpose: Purpose
    owner: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class _Since:
    request: Request
    at: float


class Admission:
    """A queue per purpose and the reserved ceilings.

    Practice and grading cannot starve each other: each leaves a slot, and a quarter of the memory (at most 512 MiB), to the
    other while that one has nothing running. Proofs come last. Within a purpose the owner with the fewest running sandboxes
    is first, then the earliest; nobody overtakes within a purpose, and who has waited for 30 s lets nobody pass at all.
    """

    def __init__(self, capacity: Capacity, clock: Callable[[], float] = time.monotonic) -> None:
        self.capacity = capacity
        self._clock = clock
        self._waiting: dict[str, _Since] = {}
        self._running: dict[str, _Since] = {}
        self._stays = {purpose: deque[float](maxlen=21) for purpose in Purpose}

    @property
    def free_mb(self) -> int:
        """Memory that no ceiling reserves."""
        return self.capacity.memory_mb - sum(item.request.memory_mb for item in self._running.values())

    def ask(self, request: Request) -> None:
        """Join the queue.

        Raises:
            TooBig: it could never start.
        """
        if request.memory_mb > self.capacity.memory_mb:
            raise TooBig(
                f"This sandbox needs {request.memory_mb} MiB; all sandboxes together may use {self.capacity.memory_mb} MiB.",
                cure="Free memory on this machine, or raise SOTY_SANDBOX_MEMORY_MB.",
            )
        self._waiting[request.id] = _Since(request, self._clock())

    def leave(self, sandbox_id: str) -> None:
        """Give up the place in the queue, or what was reserved; unknown ids are fine."""
        self._waiting.pop(sandbox_id, None)
        if item := self._running.pop(sandbox_id, None):
            self._stays[item.request.purpose].append(self._clock() - item.at)

    def admit(self) -> list[str]:
        """Ids that may start now; their ceilings are reserved."""
        admitted = []
        while request := self._next():
            del self._waiting[request.id]
            self._running[request.id] = _Since(request, self._clock())
            admitted.append(request.id)
        return admitted

    def position(self, sandbox_id: str) -> int:
        """1 for the next of its purpose; 0 for who does not wait."""
        if sandbox_id not in self._waiting:
            return 0
        purpose = self._waiting[sandbox_id].request.purpose
        same = [item.request.id for item in self._ordered() if item.request.purpose is purpose]
        return same.index(sandbox_id) + 1

    def wait_seconds(self, sandbox_id: str) -> float:
        """Estimated wait: places before it times the usual stay, shared among those that run."""
        position = self.position(sandbox_id)
        if not position:
            return 0.0
        item = self._waiting[sandbox_id]
        stays = self._stays[item.request.purpose]
        stay = median(stays) if stays else _USUAL_STAY[item.request.purpose]
        return max(1.0, position * stay / max(1, self._count(item.request.purpose)))

    def waiting(self) -> Mapping[Purpose, int]:
        """How many wait, by purpose."""
        return {purpose: sum(item.request.purpose is purpose for item in self._waiting.values()) for purpose in Purpose}

    def _next(self) -> Request | None:
        closed: set[Purpose] = set()
        for item in self._ordered():
            purpose = item.request.purpose
            if purpose in closed:
                continue
            slot = self._has_slot(purpose)
            if slot and self._has_memory(item.request):
                return item.request
            if slot and self._overdue(item):
                return None
            closed.add(purpose)
        return None

    def _ordered(self) -> list[_Since]:
        owners = [item.request.owner for item in self._running.values()]

        def key(item: _Since) -> tuple[bool, int, int, float]:
            return (not self._overdue(item), _RANK[item.request.purpose], owners.count(item.request.owner), item.at)

        return sorted(self._waiting.values(), key=key)

    def _overdue(self, item: _Since) -> bool:
        return self._clock() - item.at >= OVERDUE_SECONDS

    def _count(self, *purposes: Purpose) -> int:
        return sum(item.request.purpose in purposes for item in self._running.values())

    def _others_without(self, purpose: Purpose) -> int:
        """How many other purposes still need a place of their own."""
        return sum(not self._count(other) for other in (Purpose.PRACTICE, Purpose.GRADING) if other is not purpose)

    def _has_slot(self, purpose: Purpose) -> bool:
        checks = purpose is not Purpose.PRACTICE
        if checks and self._count(Purpose.GRADING, Purpose.PROOF) >= self.capacity.checking:
            return False
        kept = self._others_without(purpose) if self.capacity.slots > 2 else 0
        return not self._running or len(self._running) + kept < self.capacity.slots

    def _has_memory(self, request: Request) -> bool:
        if not self._running:
            return True
        kept = self._others_without(request.purpose) * min(_RESERVE_MB, self.capacity.memory_mb // 4)
        return request.memory_mb + kept <= self.free_mb


def capacity(memory_mb: int = 0, slots: int = 0) -> Capacity:
    """What this machine offers.

    Args:
        memory_mb: for all sandboxes; 0 takes 60 % of what is available now.
        slots: sandboxes at once; 0 takes eight per core.
    """
    cores = len(os.sched_getaffinity(0))
    return Capacity(memory_mb or int(available_mb() * DEFAULT_SHARE), slots or _SLOTS_PER_CORE * cores, max(1, cores))


def available_mb() -> int:
    """MemAvailable in MiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 1024
