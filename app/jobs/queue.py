"""The job rows as a queue: enqueue, claim, beat, and the ways in which a job leaves a worker's hands.

Each public method is one short transaction; none calls out.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from app.db import Database, now, table
from app.jobs.handler import Handler
from app.jobs.lease import Lease
from app.jobs.model import Job, JobState

MAX_FAULTS = 3  #: platform faults before a job is given up
MAX_LOST = 10  #: lost leases before a job is given up
URGENT = 10  #: priority of jobs that somebody is waiting for at the screen
MAX_ERROR = 2000  #: characters kept of the last error


_INSERT = insert(table(Job))  # without the session's bookkeeping: each submission pays for it


def enqueue(session: Session, kind: str, subject_id: str, *, fair_key: str = "", priority: int = 0) -> None:
    """Queue a job in the caller's transaction, together with what it is about.

    Args:
        fair_key: whose turn it uses up; among equals the key with the fewest running jobs goes first.
        priority: higher goes first.
    """
    session.execute(_INSERT, {"kind": kind, "subject_id": subject_id, "fair_key": fair_key, "priority": priority})


class JobQueue:
    """The queue as workers see it.

    Args:
        handlers: by kind; told in the same transaction that a job waits again or was given up.
    """

    def __init__(self, database: Database, handlers: Mapping[str, Handler]) -> None:
        self._database = database
        self.handlers = handlers

    def claim(self, holder: str, least_priority: int = 0) -> Lease | None:
        """Take the next job that is ready, or None. Two workers never get the same one."""
        moment = now()
        with self._database.read() as session:
            if not session.scalar(select(exists().where(*_ready(Job, moment, self.handlers, least_priority)))):
                return None
        chosen = _next_fair(moment, self.handlers, least_priority).scalar_subquery()
        statement = (
            update(Job)
            .where(Job.id == chosen, Job.state == JobState.QUEUED)
            .values(state=JobState.LEASED, holder=holder, fence=Job.fence + 1, claimed_at=moment)
            .returning(Job)
        )
        with self._database.transaction() as session:
            job = session.scalar(statement, execution_options={"synchronize_session": False})
            if job is None:
                return None
            return Lease(job.id, job.kind, job.subject_id, job.fence, job.run_at, moment, job.faults)

    def beat(self, leases: Collection[Lease]) -> set[str]:
        """Say that the holder is alive: one statement for all its leases.

        Returns:
            Ids of the jobs that are still held under the same fence.
        """
        pairs = [(lease.job_id, lease.fence) for lease in leases]
        if not pairs:
            return set()
        statement = (
            update(Job)
            .where(tuple_(Job.id, Job.fence).in_(pairs), Job.state == JobState.LEASED)
            .values(beat=Job.beat + 1)
            .returning(Job.id)
        )
        with self._database.transaction() as session:
            return set(session.scalars(statement, execution_options={"synchronize_session": False}))

    def done(self, lease: Lease) -> bool:
        """End a job whose handler had nothing to write; false when it has ended already or is somebody else's."""
        with self._database.transaction() as session:
            return self._move(session, lease, state=JobState.DONE, done_at=now()) is not None

    def release(self, lease: Lease) -> bool:
        """Give the job back untouched: it runs again at once and nothing is counted."""
        with self._database.transaction() as session:
            return self._requeue(session, lease, 0, "", {})

    def postpone(self, lease: Lease, reason: str, seconds: float) -> bool:
        """Let the job wait for something that is nobody's fault."""
        with self._database.transaction() as session:
            return self._requeue(session, lease, seconds, reason, {})

    def fault(self, lease: Lease, reason: str) -> bool:
        """Count a platform fault: try again later, or give up after `MAX_FAULTS`. False when the lease was not ours."""
        faults = lease.faults + 1
        with self._database.transaction() as session:
            if faults >= MAX_FAULTS:
                return self._bury(session, lease, reason, {"faults": faults})
            return self._requeue(session, lease, _jittered(3.0 * 3 ** (faults - 1)), reason, {"faults": faults})

    def lose(self, job: Job, reason: str) -> bool:
        """Take a job from a holder that is dead; false when it has moved on since `job` was read."""
        lease = Lease(job.id, job.kind, job.subject_id, job.fence, job.run_at, job.claimed_at or now(), job.faults)
        lost = job.lost + 1
        with self._database.transaction() as session:
            if lost >= MAX_LOST:
                return self._bury(session, lease, reason, {"lost": lost}, beat=job.beat)
            return self._requeue(session, lease, min(60.0, 2.0 ** (lost - 1) - 1), reason, {"lost": lost}, beat=job.beat)

    def leased(self, holder_prefix: str = "") -> list[Job]:
        """Jobs that somebody holds, or those whose holder's name begins with `holder_prefix`."""
        with self._database.read() as session:
            mine = Job.holder.startswith(holder_prefix, autoescape=True)
            return list(session.scalars(select(Job).where(Job.state == JobState.LEASED, mine)))

    def _requeue(
        self, session: Session, lease: Lease, seconds: float, reason: str, counts: Mapping[str, int], beat: int | None = None
    ) -> bool:
        later = {"state": JobState.QUEUED, "run_at": now() + timedelta(seconds=seconds), "holder": ""}
        if self._move(session, lease, beat=beat, last_error=reason[:MAX_ERROR], **later, **counts) is None:
            return False
        if handler := self.handlers.get(lease.kind):
            handler.requeued(session, lease.subject_id, reason)
        return True

    def _bury(self, session: Session, lease: Lease, reason: str, counts: Mapping[str, int], beat: int | None = None) -> bool:
        end = {"state": JobState.DEAD, "done_at": now(), "last_error": reason[:MAX_ERROR]}
        if self._move(session, lease, beat=beat, **end, **counts) is None:
            return False
        if handler := self.handlers.get(lease.kind):
            handler.gave_up(session, lease.subject_id, reason)
        return True

    def _move(self, session: Session, lease: Lease, *, beat: int | None = None, **values: Any) -> str | None:
        still = [Job.id == lease.job_id, Job.fence == lease.fence, Job.state == JobState.LEASED]
        if beat is not None:
            still.append(Job.beat == beat)
        statement = update(Job).where(*still).values(**values).returning(Job.id)
        return session.scalar(statement, execution_options={"synchronize_session": False})


def _ready(job: type[Job], moment: datetime, kinds: Collection[str], least: int) -> tuple[ColumnElement[bool], ...]:
    return job.state == JobState.QUEUED, job.run_at <= moment, job.kind.in_(kinds), job.priority >= least


def _next_fair(moment: datetime, kinds: Collection[str], least: int) -> Select[str]:
    waiting = aliased(Job)
    running = (
        select(Job.fair_key, func.count().label("leases"))
        .where(Job.state == JobState.LEASED)
        .group_by(Job.fair_key)
        .subquery()
    )  # fmt: skip
    return (
        select(waiting.id)
        .outerjoin(running, running.c.fair_key == waiting.fair_key)
        .where(*_ready(waiting, moment, kinds, least))
        .order_by(waiting.priority.desc(), func.coalesce(running.c.leases, 0), waiting.run_at, waiting.id)
        .limit(1)
        .with_for_update(of=waiting, skip_locked=True)  # PostgreSQL; SQLite has one writer anyway
    )


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, guards nothing
