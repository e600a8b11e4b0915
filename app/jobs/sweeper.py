"""Finds leases whose holder is dead, and old rows that nobody needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import delete

from app.db import Database, now
from app.jobs.model import Job, JobState
from app.jobs.queue import JobQueue

DEAD_AFTER = 20.0  #: seconds without a heartbeat, by the sweeper's own monotonic clock
KEEP_DONE = timedelta(days=7)


class Sweeper:
    """Remembers when it saw each heartbeat change, so that no clock of another machine matters.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, queue: JobQueue, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._database = database
        self._clock = clock
        self._seen: dict[str, tuple[int, int, float]] = {}

    def sweep(self) -> int:
        """Take back every lease whose heartbeat has stood still; returns how many."""
        leased, moment = self._queue.leased(), self._clock()
        seen, taken = {}, 0
        for job in leased:
            fence, beat, since = self._seen.get(job.id, (-1, -1, moment))
            if (fence, beat) != (job.fence, job.beat):
                since = moment
            if moment - since >= DEAD_AFTER:
                taken += self._queue.lose(job, f"no heartbeat for {DEAD_AFTER:.0f} s")
            else:
                seen[job.id] = (job.fence, job.beat, since)
        self._seen = seen
        return taken

    def forget_old(self) -> int:
        """Delete done jobs older than a week; returns how many."""
        with self._database.transaction() as session:
            old = (Job.state == JobState.DONE, Job.done_at < now() - KEEP_DONE)
            return len(list(session.scalars(delete(Job).where(*old).returning(Job.id))))
