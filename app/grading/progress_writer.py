"""Writes progress while work goes on, seldom enough not to matter."""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import update

from app.db import Database
from app.grading.model import Run, Submission
from app.grading.progress import Progress
from app.jobs.lease import Lease

EVERY = 1.0  #: seconds between two writes of one job


class ProgressWriter:
    """Keeps one row's `progress` up to date under a lease."""

    def __init__(
        self, database: Database, lease: Lease, row: type[Submission] | type[Run], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._lease = lease
        self._row = row
        self._clock = clock
        self._written_at = float("-inf")
        self._written = Progress()

    def write(self, progress: Progress) -> None:
        """Store `progress` unless it is as stored, or something was stored less than a second ago.

        Raises:
            LeaseLost: the row is somebody else's by now.
        """
        self._lease.check()
        moment = self._clock()
        if progress == self._written or moment - self._written_at < EVERY:
            return
        with self._database.transaction() as session:
            self._lease.guard(session)
            session.execute(update(self._row).where(self._row.id == self._lease.subject_id).values(progress=progress.to_json()))
        self._written, self._written_at = progress, moment
