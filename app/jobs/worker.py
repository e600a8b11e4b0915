"""The loop that claims jobs and runs them in slots, and the routines that run beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from app.errors import PlatformError
from app.jobs.doorbell import Doorbell
from app.jobs.handler import Postponed
from app.jobs.lease import Lease, LeaseLost, Stopping
from app.jobs.queue import URGENT, JobQueue

BEAT_EVERY = 3.0  #: seconds; four may be missed before a sweeper acts
BUSY_WAIT, IDLE_WAIT = 0.2, 0.5  #: seconds between looks while jobs come, and when none come
LAST_WORDS = 8.0  #: seconds that interrupted jobs get to end at shutdown

log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True)
class Routine:
    """Something done again and again beside the jobs; a fault is logged and the next turn comes all the same."""

    name: str
    every: float  #: seconds between the end of a turn and the next
    turn: Callable[[], object]


class Worker:
    """Runs jobs until it is told to stop.

    Args:
        holder: name of this process among all workers, ever.
        predecessors: prefix of the names of earlier processes in the same place; what they still hold is free at once.
        slots: jobs at a time.
    """

    def __init__(
        self,
        queue: JobQueue,
        doorbell: Doorbell,
        *,
        holder: str,
        predecessors: str = "",
        slots: int = 4,
        routines: Sequence[Routine] = (),
    ) -> None:
        self._queue = queue
        self._doorbell = doorbell
        self._holder = holder
        self._predecessors = predecessors
        self._slots = slots
        self._routines = (Routine("heartbeat", BEAT_EVERY, self._beat), *routines)
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._free = threading.Semaphore(slots)

    def stop(self) -> None:
        """Ask the loop to end; safe from any thread."""
        self._stop.set()
        self._doorbell.ring()

    def run(self) -> None:
        """Work until `stop`; then give back what is unfinished, without counting anything against it."""
        threads = [
            threading.Thread(target=self._repeat, args=(routine,), name=routine.name, daemon=True) for routine in self._routines
        ]
        for thread in threads:
            thread.start()
        with ThreadPoolExecutor(self._slots, thread_name_prefix="slot") as pool:
            try:
                self._loop(pool)
            finally:
                self._stop.set()
                with self._lock:
                    leases = list(self._leases.values())
                for lease in leases:
                    lease.interrupt(Stopping("the worker shuts down"))
        for thread in threads:
            thread.join(LAST_WORDS)

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        inherited, pause = False, BUSY_WAIT
        while not self._stop.is_set():
            if not self._free.acquire(timeout=IDLE_WAIT):
                continue
            lease = None
            try:
                inherited = inherited or self._release_predecessors()
                lease = self._queue.claim(self._holder, self._least_priority())
            except PlatformError as error:
                log.warning("queue-unavailable", error=error.message)
            if lease is None:
                self._free.release()
                self._doorbell.wait(pause)
                pause = min(IDLE_WAIT, pause * 1.5)
                continue
            pause = BUSY_WAIT
            with self._lock:
                self._leases[lease.job_id] = lease
            pool.submit(self._work, lease)

    def _least_priority(self) -> int:
        """The last free slot is kept for those who wait at the screen."""
        return URGENT if 1 < self._slots <= len(self._leases) + 1 else 0

    def _release_predecessors(self) -> bool:
        if self._predecessors:
            for job in self._queue.leased(self._predecessors):
                if job.holder != self._holder:
                    self._queue.lose(job, "the worker that held it is gone")
                    log.info("lease-inherited", job=job.id, kind=job.kind, from_holder=job.holder)
        return True

    def _work(self, lease: Lease) -> None:
        began = time.monotonic()
        try:
            outcome = self._attempt(lease)
        except PlatformError as error:  # the database is gone: the lease runs out by itself
            outcome = f"unsettled: {error.message}"
        except Exception:
            outcome = "unsettled"
            log.exception("job-broke-the-slot", job=lease.job_id)
        finally:
            with self._lock:
                self._leases.pop(lease.job_id, None)
            self._free.release()
            self._doorbell.ring()
        log.info(
            "job", kind=lease.kind, job=lease.job_id, subject=lease.subject_id, fence=lease.fence, outcome=outcome,
            seconds=round(time.monotonic() - began, 3),
        )  # fmt: skip

    def _attempt(self, lease: Lease) -> str:
        try:
            self._queue.handlers[lease.kind].handle(lease.subject_id, lease)
        except Exception as error:  # noqa: BLE001 - whatever a handler raises becomes a recorded fault
            return self._settle(lease, error)
        self._queue.done(lease)
        return "done"

    def _settle(self, lease: Lease, error: Exception) -> str:
        why = lease.interruption or error
        if isinstance(why, LeaseLost):
            return f"lease lost: {why}"
        if isinstance(why, Stopping):
            self._queue.release(lease)
            return "released"
        if isinstance(why, Postponed):
            self._queue.postpone(lease, why.reason, why.seconds)
            return f"postponed: {why.reason}"
        reason = f"{why.code}: {why.message}" if isinstance(why, PlatformError) else f"internal: {type(why).__name__}: {why}"
        log.warning("job-fault", kind=lease.kind, job=lease.job_id, reason=reason, exc_info=not isinstance(why, PlatformError))
        self._queue.fault(lease, reason)
        return f"fault: {reason}"

    def _beat(self) -> None:
        with self._lock:
            leases = list(self._leases.values())
        held = self._queue.beat(leases)
        for lease in leases:
            if lease.job_id in held:
                lease.confirm()
            elif lease.job_id in self._leases:
                lease.interrupt(LeaseLost("another worker has claimed the job"))

    def _repeat(self, routine: Routine) -> None:
        while not self._stop.wait(routine.every):
            try:
                routine.turn()
            except PlatformError as error:
                log.warning("routine-failed", routine=routine.name, error=error.message)
            except Exception:
                log.exception("routine-broke", routine=routine.name)
