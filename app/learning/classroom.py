"""What instructors see: learners with their progress, submissions, running sandboxes. Server-side filters and paging."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from sqlalchemy import ColumnElement, Select, desc, func, nulls_last, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.accounts import names
from app.accounts.model import Role, User
from app.db import Database
from app.errors import InvalidInput
from app.grading.limits import MAX_PAGE
from app.grading.model import Submission, SubmissionState, Verdict
from app.learning.model import LessonProgress, Objection
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.row import SandboxRow

MAX_PAGES = 100_000
LearnerOrder = Literal["name", "lessons", "passed", "submissions", "newest", "seen"]  #: all but the name begin with the most
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class LearnerLine:
    """A learner and how far they are. `last_seen`: last sign-in or None."""

    id: str
    name: str
    active: bool
    created_at: datetime
    last_seen: datetime | None
    lessons_done: int
    exercises_passed: int
    submissions: int
    last_submission: datetime | None


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account in the admin's list. `email` may be None, `seen_at` is the last sign-in or None."""

    id: str
    name: str
    email: str | None
    role: Role
    active: bool
    must_change_password: bool
    created_at: datetime
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """A submission in the instructor's list."""

    id: str
    user_id: str
    user_name: str
    exercise_id: str
    state: SubmissionState
    verdict: Verdict | None
    score: int | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class ObjectionLine:
    """An objection in the instructor's list; `answered_at` is None while it waits."""

    id: str
    user_id: str
    user_name: str
    exercise_id: str
    check_id: str
    created_at: datetime
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Owed:
    """How many submissions have no verdict because grading broke, and how many objections no answer."""

    verdicts: int
    answers: int


@dataclass(frozen=True, slots=True)
class SandboxLine:
    """A living sandbox and whose it is."""

    id: str
    owner_id: str
    owner_name: str
    exercise_id: str
    purpose: Purpose
    state: SandboxState
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of many. `total` counts all that the filters let through; pages count from 1."""

    rows: tuple[Row, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class SubmissionFilter:
    """What to show; empty means everything."""

    exercise_id: str = ""
    user_id: str = ""
    state: SubmissionState | None = None
    verdict: Verdict | None = None


class Classroom:
    """Lists for instructors. Callers have checked the role."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learners(self, *, search: str = "", order: LearnerOrder = "name", page: int = 1, size: int = 50) -> Page[LearnerLine]:
        """Learners with their progress. Two statements.

        Args:
            search: part of the name, any case; wildcards have no meaning, look-alike letters are the same.

        Raises:
            InvalidInput: `page` or `size` out of range.
        """
        chosen = [User.role == Role.LEARNER, *_named(search)]
        lessons = _count_by_user(LessonProgress.user_id, func.count(), LessonProgress.done_at.is_not(None))
        passed = _count_by_user(
            Submission.user_id, func.count(Submission.exercise_id.distinct()), Submission.verdict == Verdict.PASSED
        )
        handed_in = _count_by_user(Submission.user_id, func.count())
        newest = _count_by_user(Submission.user_id, func.max(Submission.created_at))
        columns = (
            User.id, User.name, User.active, User.created_at, User.seen_at.label("seen"), lessons.label("lessons"),
            passed.label("passed"), handed_in.label("submissions"), newest.label("newest"),
        )  # fmt: skip
        first: list[ColumnElement[Any]] = [] if order == "name" else [nulls_last(desc(order))]
        with self._database.read() as session:
            found = select(*columns).where(*chosen).order_by(*first, User.name, User.id)
            return _page(session, found, select(func.count()).select_from(User).where(*chosen), LearnerLine, page, size)

    def accounts(self, *, search: str = "", role: Role | None = None, page: int = 1, size: int = 50) -> Page[AccountLine]:
        """Accounts of everybody by name. Two statements; arguments as in `learners`.

        Raises:
            InvalidInput: `page` or `size` out of range.
        """
        chosen = [*_named(search), *([User.role == role] if role else [])]
        columns = [getattr(User, name) for name in AccountLine.__dataclass_fields__]
        with self._database.read() as session:
            found = select(*columns).where(*chosen).order_by(User.name, User.id)
            return _page(session, found, select(func.count()).select_from(User).where(*chosen), AccountLine, page, size)

    def submissions(
        self, wanted: SubmissionFilter = SubmissionFilter(), *, page: int = 1, size: int = 50
    ) -> Page[SubmissionRow]:
        """Submissions, newest first. Two statements.

        Raises:
            InvalidInput: `page` or `size` out of range.
        """
        chosen = []
        if wanted.exercise_id:
            chosen.append(Submission.exercise_id == wanted.exercise_id)
        if wanted.user_id:
            chosen.append(Submission.user_id == wanted.user_id)
        if wanted.state:
            chosen.append(Submission.state == wanted.state)
        if wanted.verdict:
            chosen.append(Submission.verdict == wanted.verdict)
        s = Submission
        columns = (s.id, s.user_id, User.name, s.exercise_id, s.state, s.verdict, s.score, s.created_at, s.finished_at)
        with self._database.read() as session:
            found = select(*columns).join(User, User.id == s.user_id).where(*chosen).order_by(s.created_at.desc(), s.id)
            return _page(session, found, select(func.count()).select_from(s).where(*chosen), SubmissionRow, page, size)

    def objections(self, *, answered: bool | None = None, page: int = 1, size: int = 50) -> Page[ObjectionLine]:
        """Objections to checks: those that wait, the oldest first; else the newest first. Two statements.

        Raises:
            InvalidInput: `page` or `size` out of range.
        """
        o = Objection
        chosen = [] if answered is None else [o.answered_at.is_not(None) if answered else o.answered_at.is_(None)]
        columns = (o.id, o.user_id, User.name, o.exercise_id, o.check_id, o.created_at, o.answered_at)
        order = o.created_at.asc() if answered is False else o.created_at.desc()
        with self._database.read() as session:
            found = select(*columns).join(User, User.id == o.user_id).where(*chosen).order_by(order, o.id)
            return _page(session, found, select(func.count()).select_from(o).where(*chosen), ObjectionLine, page, size)

    def owed(self) -> Owed:
        """What we owe learners. One statement."""
        verdicts = select(func.count()).select_from(Submission).where(Submission.state == SubmissionState.ERRORED)
        answers = select(func.count()).select_from(Objection).where(Objection.answered_at.is_(None))
        with self._database.read() as session:
            return Owed(*session.execute(select(verdicts.scalar_subquery(), answers.scalar_subquery())).one())

    def sandboxes(self) -> tuple[SandboxLine, ...]:
        """Every living sandbox, oldest first. One statement; the states are the reconciler's, at most seconds old."""
        r = SandboxRow
        columns = (r.id, r.owner_id, User.name, r.exercise_id, r.purpose, r.state, r.created_at, r.expires_at)
        living = select(*columns).join(User, User.id == r.owner_id).where(r.state != SandboxState.GONE)
        with self._database.read() as session:
            return tuple(SandboxLine(*row) for row in session.execute(living.order_by(r.created_at, r.id)))


def _named(search: str) -> list[ColumnElement[bool]]:
    part = names.key(search)
    return [User.name_key.contains(part, autoescape=True)] if part else []


def _count_by_user(owner: InstrumentedAttribute[str], figure: ColumnElement[Any], *chosen: ColumnElement[bool]) -> Any:
    return select(figure).where(owner == User.id, *chosen).correlate(User).scalar_subquery()


def _page(
    session: Session, found: Select[*tuple[Any, ...]], counted: Select[int], row: Callable[..., Row], page: int, size: int
) -> Page[Row]:
    if not 1 <= size <= MAX_PAGE or not 1 <= page <= MAX_PAGES:
        raise InvalidInput(f"A page has 1 to {MAX_PAGE} rows; pages count from 1 to {MAX_PAGES}.", code="bad-page")
    total = session.scalar(counted) or 0
    rows = session.execute(found.limit(size).offset((page - 1) * size))
    return Page(tuple(row(*values) for values in rows), total, page, max(1, -(-total // size)))
