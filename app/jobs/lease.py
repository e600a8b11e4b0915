"""The right to work on one job, until somebody newer has it."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.db import now
from app.jobs.model import Job, JobState

SILENCE = 15.0  #: seconds without a confirmed heartbeat after which a holder stops trusting its own lease


class Interrupted(Exception):
    """Stop working on this job now; whoever raised the interruption has seen to the job itself."""


class LeaseLost(Interrupted):
    """Somebody else holds the job by now, or nobody confirmed the heartbeat for too long."""


class Stopping(Interrupted):
    """The worker shuts down; the job goes back to the queue without counting anything."""


def claim_key(job_id: str, fence: int) -> str:
    """The id of one claim of one job: 20 characters of a-z and 2-7."""
    return base64.b32encode(hashlib.sha256(f"{job_id}:{fence}".encode()).digest()).decode().lower()[:20]


@dataclass
class Lease:
    """A claim of one job. `fence` is larger than that of every earlier claim; results carry it.

    Attributes:
        queued_at: when the job was ready to run.
        claimed_at: when this claim was made.
        faults: platform faults of earlier claims.
    """

    job_id: str
    kind: str
    subject_id: str
    fence: int
    queued_at: datetime
    claimed_at: datetime
    faults: int = 0
    _beat_at: float = field(default_factory=time.monotonic)
    _interruption: Interrupted | None = None
    _told: threading.Event = field(default_factory=threading.Event)
    _callbacks: list[Callable[[], object]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def key(self) -> str:
        """An id of this very claim, 20 characters: what is made under it never meets what an earlier claim made."""
        return claim_key(self.job_id, self.fence)

    def check(self) -> None:
        """Ask whether to go on; cheap, no database.

        Raises:
            LeaseLost: the job is no longer ours.
            Stopping: the worker shuts down.
        """
        if self._interruption is None and time.monotonic() - self._beat_at > SILENCE:
            self.interrupt(LeaseLost("no heartbeat was confirmed"))
        if self._interruption is not None:
            raise self._interruption

    @property
    def interruption(self) -> Interrupted | None:
        """Why the work must stop; None while it may go on."""
        return self._interruption

    def interrupt(self, why: Interrupted) -> None:
        """Make `check` raise and run the callbacks; the first reason stays."""
        with self._lock:
            if self._interruption is not None:
                return
            self._interruption = why
            callbacks = list(self._callbacks)
        self._told.set()
        for callback in callbacks:
            callback()

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than the work may go on.

        Raises:
            LeaseLost, Stopping: as `check`.
        """
        self._told.wait(seconds)
        self.check()

    def on_interrupt(self, callback: Callable[[], object]) -> None:
        """Run `callback` (thread-safe, quick) once when the work must stop: cancel a call, wake a wait."""
        with self._lock:
            if self._interruption is None:
                self._callbacks.append(callback)
                return
        callback()

    def confirm(self) -> None:
        """The database has just confirmed the lease."""
        self._beat_at = time.monotonic()

    def guard(self, session: Session) -> None:
        """Let this transaction commit only while the lease is ours.

        Raises:
            LeaseLost: it is not; nothing of the transaction may be written.
        """
        self._write(session, beat=Job.beat + 1)

    def finish(self, session: Session) -> None:
        """End the job in the transaction that writes its result.

        Raises:
            LeaseLost: somebody else holds the job by now; the result must not be written.
        """
        self._write(session, state=JobState.DONE, done_at=now(), last_error="")

    def _write(self, session: Session, **values: object) -> None:
        mine = (Job.id == self.job_id, Job.fence == self.fence, Job.state == JobState.LEASED)
        found = session.execute(update(Job).where(*mine).values(**values).returning(Job.id)).first()
        if found is None:
            self.interrupt(LeaseLost("another worker has claimed the job"))
            raise LeaseLost("another worker has claimed the job")
