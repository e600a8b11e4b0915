"""Grades again what was errored by the platform, by itself once the engine is healthy, or at an instructor's word."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db import Database, now
from app.errors import Conflict, NotFound
from app.grading.model import Submission, SubmissionState
from app.grading.progress import Progress
from app.grading.submissions import GRADE
from app.jobs.doorbell import Doorbell
from app.jobs.model import Job, JobState
from app.jobs.queue import enqueue

ROUNDS = 4  #: times that a submission is graded by itself; each round has its own three tries
REST = timedelta(minutes=1)  #: between the end of a round and the next
GIVE_UP = timedelta(days=1)
BATCH = 20


class Retry:
    """Brings errored submissions back into the queue."""

    def __init__(self, database: Database, doorbell: Doorbell) -> None:
        self._database = database
        self._doorbell = doorbell

    def sweep(self, engine_is_healthy: Callable[[], bool]) -> int:
        """Queue the errored ones of the last day again, each at most `ROUNDS` times; returns how many.

        Args:
            engine_is_healthy: asked only when there is something to do.
        """
        moment = now()
        rounds = select(func.count()).where(Job.kind == GRADE, Job.subject_id == Submission.id, Job.state == JobState.DEAD)
        due = select(Submission.id).where(
            Submission.state == SubmissionState.ERRORED,
            Submission.finished_at.between(moment - GIVE_UP, moment - REST),
            rounds.correlate(Submission).scalar_subquery() < ROUNDS,
        )
        with self._database.read() as session:
            ids = list(session.scalars(due.order_by(Submission.created_at).limit(BATCH)))
        if not ids or not engine_is_healthy():
            return 0
        for submission_id in ids:
            with self._database.transaction() as session:
                row = session.get(Submission, submission_id, with_for_update=True)
                if row is not None and row.state == SubmissionState.ERRORED:
                    _again(session, row)
        self._doorbell.ring()
        return len(ids)

    def now(self, submission_id: str) -> None:
        """Grade an errored submission again at once, whatever its rounds. The caller has checked the role.

        Raises:
            NotFound: no such submission.
            Conflict: it is not errored.
        """
        with self._database.transaction() as session:
            row = session.get(Submission, submission_id, with_for_update=True)
            if row is None:
                raise NotFound("There is no such submission.", code="no-such-submission")
            if row.state != SubmissionState.ERRORED:
                raise Conflict("Only an errored submission can be graded again.", code="not-errored")
            _again(session, row)
        self._doorbell.ring()


def _again(session: Session, row: Submission) -> None:
    row.state, row.verdict, row.finished_at, row.seen_at = SubmissionState.QUEUED, None, None, None
    row.progress = Progress().to_json()
    enqueue(session, GRADE, row.id, fair_key=row.user_id)
