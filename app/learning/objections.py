"""*This check is wrong*: a learner objects, the instructors get the evidence and answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.accounts.audit import record
from app.accounts.model import User
from app.db import Database, now
from app.errors import Conflict, InvalidInput, NotFound, TooMany
from app.grading.limits import files_hash
from app.grading.model import Run, Submission
from app.grading.report import Report
from app.learning.model import Objection

MAX_MESSAGE = 2000  #: characters, of an objection and of its answer
MAX_OPEN = 5  #: of one learner
AttemptKind = Literal["submission", "run"]


@dataclass(frozen=True, slots=True)
class ObjectionView:
    """An objection as its author and instructors see it.

    Attributes:
        answer: empty while it is open.
        answered_at: None while it is open.
        answer_seen_at: None until its author has looked at the newest answer.
    """

    id: str
    user_id: str
    user_name: str
    exercise_id: str
    attempt_kind: AttemptKind
    attempt_id: str
    check_id: str
    seed: int
    files_hash: str
    message: str
    created_at: datetime
    answer: str
    answered_at: datetime | None
    answer_seen_at: datetime | None

    @property
    def state(self) -> Literal["open", "answered"]:
        return "open" if self.answered_at is None else "answered"


class Objections:
    """Make, read and answer objections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make(self, user_id: str, attempt_kind: str, attempt_id: str, check_id: str, message: str) -> str:
        """Object to how a check judged an attempt of one's own; returns the id.

        Raises:
            NotFound: no such attempt of this learner that has a report with this check.
            InvalidInput: `message-empty`, `message-too-long`; or the check passed, which nobody objects to: `check-passed`.
            Conflict: `objection-exists`: made already.
            TooMany: `MAX_OPEN` are not answered yet.
        """
        text = _checked(message)
        if attempt_kind not in get_args(AttemptKind):
            raise NotFound("There is no such attempt.", code="no-such-attempt")
        with self._database.transaction() as session:
            session.get(User, user_id, with_for_update=True)
            attempt = _attempt(session, attempt_kind, attempt_id)
            if attempt is None or attempt.user_id != user_id or not attempt.report or not attempt.finished_at:
                raise NotFound("There is no such attempt.", code="no-such-attempt")
            _refuse_passed(Report.from_json(attempt.report), check_id)
            _bound(session, user_id, attempt_id, check_id)
            row = Objection(
                user_id=user_id, exercise_id=attempt.exercise_id, attempt_kind=attempt_kind, attempt_id=attempt_id,
                check_id=check_id, seed=attempt.seed, files_hash=_files_hash(attempt), message=text, answer="",
            )  # fmt: skip
            session.add(row)
            session.flush()
            record(session, user_id, "objection.make", "objection", row.id, exercise=attempt.exercise_id, check=check_id)
            return row.id

    def of(self, user_id: str, exercise_id: str) -> tuple[ObjectionView, ...]:
        """A learner's objections in one exercise, newest first."""
        mine = (Objection.user_id == user_id, Objection.exercise_id == exercise_id)
        with self._database.read() as session:
            rows = session.execute(
                select(Objection, User.name)
                .join(User, User.id == Objection.user_id)
                .where(*mine)
                .order_by(Objection.created_at.desc(), Objection.id)
            )
            return tuple(_view(row, name) for row, name in rows)

    def own(self, user_id: str, objection_id: str) -> ObjectionView:
        """An objection of one's own.

        Raises:
            NotFound: this learner has no such objection.
        """
        found = self.get(objection_id)
        if found.user_id != user_id:
            raise NotFound("There is no such objection.", code="no-such-objection")
        return found

    def seen(self, user_id: str, shown: Sequence[ObjectionView]) -> None:
        """Remember that their author has seen these answers; one that was given since they were read stays new."""
        fresh = {one.id: one.answered_at for one in shown if one.answered_at and not one.answer_seen_at}
        if not fresh:
            return
        looked_at = (Objection.user_id == user_id, Objection.id.in_(fresh), Objection.answered_at <= max(fresh.values()))
        with self._database.transaction() as session:
            session.execute(update(Objection).where(*looked_at).values(answer_seen_at=now()))

    def get(self, objection_id: str) -> ObjectionView:
        """Any objection; the caller has checked the role.

        Raises:
            NotFound: there is none.
        """
        found = select(Objection, User.name).join(User, User.id == Objection.user_id).where(Objection.id == objection_id)
        with self._database.read() as session:
            row = session.execute(found).first()
        if row is None:
            raise NotFound("There is no such objection.", code="no-such-objection")
        return _view(*row)

    def answer(self, actor_id: str, objection_id: str, text: str) -> None:
        """Answer, or answer anew; the caller has checked the role.

        Raises:
            NotFound: there is none.
            InvalidInput: as for `make`.
        """
        text = _checked(text)
        with self._database.transaction() as session:
            row = session.get(Objection, objection_id, with_for_update=True)
            if row is None:
                raise NotFound("There is no such objection.", code="no-such-objection")
            row.answer, row.answered_by, row.answered_at, row.answer_seen_at = text, actor_id, now(), None
            record(session, actor_id, "objection.answer", "objection", row.id)


def _attempt(session: Session, kind: str, attempt_id: str) -> Submission | Run | None:
    return session.get(Submission, attempt_id) if kind == "submission" else session.get(Run, attempt_id)


def _checked(text: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text or "\0" in text:
        raise InvalidInput("Write in a sentence or two what the check gets wrong.", code="message-empty")
    if len(text) > MAX_MESSAGE:
        raise InvalidInput(f"At most {MAX_MESSAGE} characters, please.", code="message-too-long")
    return text


def _refuse_passed(report: Report, check_id: str) -> None:
    try:
        status = report.check(check_id).status
    except KeyError as error:
        raise NotFound("There is no such check in this report.", code="no-such-check-here") from error
    if status == "passed":
        raise InvalidInput("This check passed.", code="check-passed")


def _bound(session: Session, user_id: str, attempt_id: str, check_id: str) -> None:
    same = select(Objection.id).where(Objection.attempt_id == attempt_id, Objection.check_id == check_id)
    if session.scalar(same):
        raise Conflict("You have said so already; the answer will appear here.", code="objection-exists")
    waiting = select(func.count()).where(Objection.user_id == user_id, Objection.answered_at.is_(None))
    if (session.scalar(waiting) or 0) >= MAX_OPEN:
        raise TooMany(
            f"{MAX_OPEN} of your objections are not answered yet.", code="too-many-objections", cure="Wait for an answer.",
            retry_after=3600,
        )  # fmt: skip


def _files_hash(attempt: Submission | Run) -> str:
    return attempt.files_hash if isinstance(attempt, Submission) else files_hash(json.loads(attempt.files))


def _view(row: Objection, user_name: str) -> ObjectionView:
    names = [name for name in ObjectionView.__dataclass_fields__ if name != "user_name"]
    return ObjectionView(user_name=user_name, **{name: getattr(row, name) for name in names})
