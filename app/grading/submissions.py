"""Hand in work and look at what became of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, bindparam, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts.model import Role, User
from app.accounts.viewer import Viewer
from app.db import Database, new_id, now, table
from app.errors import Conflict, NotFound, TooMany
from app.grading.exercises import Exercises, offered_exercise
from app.grading.limits import OPEN_SUBMISSIONS, checked_key, files_hash, workspace_files
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.progress import Progress
from app.grading.report import Report
from app.grading.trace import Trace, unpacked
from app.jobs.doorbell import Doorbell
from app.jobs.model import Job, JobState
from app.jobs.queue import enqueue

GRADE = "grade"  #: kind of the jobs that grade a submission
Files = Mapping[str, str]
KeepFiles = Callable[[Session, str, str, Files], None]  #: (session, user id, exercise id, files)

# Made once and without entities: a session's bookkeeping costs more than all that a submission writes.
_USERS, _ROWS = table(User).columns, table(Submission).columns
_LOCK = select(_USERS.id).where(_USERS.id == bindparam("user_id")).with_for_update()
_WAITING = or_(_ROWS.state == SubmissionState.QUEUED, _ROWS.state == SubmissionState.GRADING)
_OPEN = select(func.count()).where(_ROWS.user_id == bindparam("user_id"), _WAITING)
_INSERT = insert(table(Submission))
_NO_PROGRESS = Progress().to_json()


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """A submission as its author, mentors and instructors see it.

    Attributes:
        state: `queued`, `grading`, `graded` or `errored`.
        score: 0..100 once graded, else None.
        report: None until it is graded; for an errored one the last report, if there is one.
        position: place in the queue, 1 is next; 0 when not queued.
    """

    id: str
    user_id: str
    exercise_id: str
    state: SubmissionState
    verdict: Verdict | None
    score: int | None
    seed: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seen_at: datetime | None
    progress: Progress
    report: Report | None
    files: dict[str, str] = field(repr=False)
    position: int = 0

    @property
    def settled(self) -> bool:
        """Whether pages may stop polling."""
        return self.state in (SubmissionState.GRADED, SubmissionState.ERRORED)


@dataclass(frozen=True, slots=True)
class SubmissionLine:
    """One line of a history."""

    id: str
    exercise_id: str
    state: SubmissionState
    verdict: Verdict | None
    score: int | None
    created_at: datetime
    finished_at: datetime | None


class Submissions:
    """Hand in, look, list.

    Args:
        keep_files: called within `submit`'s transaction, to make a restore point of what is handed in.
    """

    def __init__(
        self, database: Database, exercises: Exercises, doorbell: Doorbell, keep_files: KeepFiles | None = None
    ) -> None:
        self._database = database
        self._exercises = exercises
        self._doorbell = doorbell
        self._keep_files = keep_files

    def submit(self, user_id: str, exercise_id: str, files: Files, idempotency_key: str | None = None) -> SubmissionView:
        """Store an immutable snapshot and the job that grades it, in one transaction.

        Args:
            files: editable path -> text; a path left out is handed in as the starter has it.
            idempotency_key: repeating a call with the same key and files returns the first one's submission.

        Raises:
            NotFound: no such exercise.
            NotProven: it is not offered now.
            InvalidInput, TooLarge: see `workspace_files`.
            Conflict: code `idempotency-key-reused`: the key was used with other files.
            TooMany: the learner has `OPEN_SUBMISSIONS` waiting or running.
        """
        exercise = offered_exercise(self._exercises, exercise_id)
        whole, key = workspace_files(exercise, files), checked_key(idempotency_key)
        values = {
            "id": new_id(),
            "user_id": user_id,
            "exercise_id": exercise.id,
            "content_hash": exercise.content_hash,
            "files": json.dumps(whole, ensure_ascii=False),
            "files_hash": files_hash(whole),
            "idempotency_key": key,
            "state": SubmissionState.QUEUED,
            "seed": secrets.randbits(31),
            "created_at": now(),
            "progress": _NO_PROGRESS,
        }
        row = Submission(**values)
        try:
            with self._database.transaction() as session:
                if not self._database.is_sqlite:  # one submit of a learner at a time, so the cap holds; SQLite has one writer
                    session.execute(_LOCK, {"user_id": user_id})
                if key and (earlier := session.scalar(_by_key(row))):
                    return self._same(earlier, row)
                self._cap(session, user_id)
                session.execute(_INSERT, values)
                enqueue(session, GRADE, row.id, fair_key=user_id)
                if self._keep_files:
                    self._keep_files(session, user_id, exercise.id, whole)
        except IntegrityError:  # the same key at the same moment
            with self._database.read() as session:
                earlier = session.scalar(_by_key(row)) if key else None
            if earlier is None:
                raise
            return self._same(earlier, row)
        self._doorbell.ring()
        return view_of(row)

    def view(self, viewer: Viewer, submission_id: str) -> SubmissionView:
        """One submission with its progress or report; mentors, who review them, see everybody's.

        Raises:
            NotFound: there is none that the viewer may see.
        """
        found = (Submission.id == submission_id, viewer.scope_for(Submission.user_id, others_from=Role.MENTOR))
        with self._database.read() as session:
            row = session.scalar(select(Submission).where(*found))
            if row is None:
                raise NotFound("There is no such submission.", code="no-such-submission")
            return view_of(row, _position(session, row) if row.state == SubmissionState.QUEUED else 0)

    def traces(self, submission_id: str) -> tuple[Trace, ...]:
        """What the taps saw while a submission was graded; the caller has looked at it with `view`."""
        with self._database.read() as session:
            return unpacked(session.scalar(select(Submission.traces).where(Submission.id == submission_id)))

    def seen(self, user_id: str, submission_id: str) -> None:
        """Remember that the author has seen the verdict; does nothing for anybody else or while there is none."""
        mine = (Submission.id == submission_id, Submission.user_id == user_id)
        unseen = (Submission.seen_at.is_(None), Submission.finished_at.is_not(None))
        with self._database.transaction() as session:
            session.execute(update(Submission).where(*mine, *unseen).values(seen_at=now()))

    def history(self, user_id: str, exercise_id: str, limit: int = 20) -> list[SubmissionLine]:
        """A learner's submissions of one exercise, newest first."""
        columns = [getattr(Submission, name) for name in SubmissionLine.__dataclass_fields__]
        with self._database.read() as session:
            rows = session.execute(
                select(*columns)
                .where(Submission.user_id == user_id, Submission.exercise_id == exercise_id)
                .order_by(Submission.created_at.desc(), Submission.id)
                .limit(limit)
            )
            return [SubmissionLine(*row) for row in rows]

    def _cap(self, session: Session, user_id: str) -> None:
        if (session.scalar(_OPEN, {"user_id": user_id}) or 0) >= OPEN_SUBMISSIONS:
            raise TooMany(
                f"{OPEN_SUBMISSIONS} of your submissions are still being graded.",
                code="too-many-submissions",
                cure="Wait for one of them to finish.",
                retry_after=15,
            )

    def _same(self, earlier: Submission, row: Submission) -> SubmissionView:
        if earlier.files_hash != row.files_hash:
            raise Conflict(
                "This Idempotency-Key was used with other files.",
                code="idempotency-key-reused",
                cure="Use a new key for new files.",
            )
        return view_of(earlier)


def view_of(row: Submission, position: int = 0) -> SubmissionView:
    """The row as a value."""
    return SubmissionView(
        id=row.id,
        user_id=row.user_id,
        exercise_id=row.exercise_id,
        state=row.state,
        verdict=row.verdict,
        score=row.score,
        seed=row.seed,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        seen_at=row.seen_at,
        progress=Progress.from_json(row.progress),
        report=Report.from_json(row.report) if row.report and row.finished_at else None,
        files=json.loads(row.files),
        position=position,
    )


def _by_key(row: Submission) -> Select[Submission]:
    return select(Submission).where(
        Submission.user_id == row.user_id,
        Submission.exercise_id == row.exercise_id,
        Submission.idempotency_key == row.idempotency_key,
    )


def _position(session: Session, row: Submission) -> int:
    ours = select(Job.run_at).where(Job.kind == GRADE, Job.subject_id == row.id, Job.state == JobState.QUEUED).scalar_subquery()
    ahead = select(func.count()).where(Job.kind == GRADE, Job.state == JobState.QUEUED, Job.run_at <= ours)
    return session.scalar(ahead) or 0
