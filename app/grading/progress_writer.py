"""Writes progress while work goes on: soon enough to be believed, seldom enough not to matter."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy import update

from app.db import Database
from app.errors import PlatformError
from app.grading.model import Run, Submission
from app.grading.progress import Progress
from app.jobs.lease import Interrupted, Lease

EVERY = 1.0  #: seconds between two writes of one job


class ProgressWriter:
    """Keeps one row's `progress` up to date under a lease, for the time of a `with` block.

    Args:
        identity: of the row; the lease's subject by default.

    What comes too early after a write is written when its time has come, unless something newer came meanwhile.
    """

    def __init__(
        self, database: Database, lease: Lease, row: type[Submission] | type[Run], identity: str | None = None
    ) -> None:
        self._database = database
        self._lease = lease
        self._row, self._identity = row, identity or lease.subject_id
        self._lock = threading.Lock()
        self._written_at = float("-inf")
        self._written = self._newest = Progress()
        self._later: threading.Timer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with self._lock:
            self._newest = self._written
            if self._later:
                self._later.cancel()

    def write(self, progress: Progress) -> None:
        """Note how far it is.

        Raises:
            LeaseLost, Stopping: the work must stop.
        """
        self._lease.check()
        with self._lock:
            self._newest = progress
            if self._later is not None or progress == self._written:
                return
            wait = self._written_at + EVERY - time.monotonic()
            if wait <= 0:
                self._store()
            else:
                self._later = threading.Timer(wait, self._catch_up)
                self._later.daemon = True
                self._later.start()

    def _catch_up(self) -> None:
        with self._lock:
            self._later = None
            try:
                if self._newest != self._written:
                    self._store()
            except (PlatformError, Interrupted):
                return  # the work itself meets the same at its next step

    def _store(self) -> None:
        with self._database.transaction() as session:
            self._lease.guard(session)
            stored = update(self._row).where(self._row.id == self._identity)
            session.execute(stored.values(progress=self._newest.to_json()))
        self._written, self._written_at = self._newest, time.monotonic()
