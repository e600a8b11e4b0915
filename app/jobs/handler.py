"""What the owner of a kind of job gives to the queue."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.orm import Session

from app.jobs.lease import Lease


class Postponed(Exception):
    """The work cannot begin yet, and nobody is to blame: queue it again in `seconds`, without counting a fault."""

    def __init__(self, reason: str, seconds: float = 5.0) -> None:
        self.reason = reason
        self.seconds = seconds
        super().__init__(reason)


class Handler(Protocol):
    """Does one kind of job. One object serves all slots of a worker: it keeps no state of a job."""

    def handle(self, subject_id: str, lease: Lease) -> None:
        """Do the work and write its result in one transaction that calls `lease.finish(session)`.

        Returning without having finished means that there was nothing to write. Raising `Postponed` waits; raising anything
        else is a platform fault, unless the lease was interrupted.
        """

    def requeued(self, session: Session, subject_id: str, reason: str) -> None:
        """The job waits again; called in the transaction that queues it."""

    def gave_up(self, session: Session, subject_id: str, reason: str) -> None:
        """The job is dead after too many faults or lost leases; called in the transaction that buries it."""
