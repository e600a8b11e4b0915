"""What a learner sees first: one next step, what runs, what is new, and how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, func, literal, select, union_all

from app.content.catalog import Catalog, Module
from app.content.library import Library
from app.db import Database
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.submissions import SubmissionLine
from app.learning.model import Draft, LessonProgress, Objection
from app.learning.sandbox_view import SandboxView, row_view
from app.sandbox.model import Purpose, SandboxState
from app.sandbox.row import SandboxRow

_OPEN = (SubmissionState.QUEUED, SubmissionState.GRADING)


@dataclass(frozen=True, slots=True)
class NextStep:
    """The one thing to do next.

    `kind`: `lesson` (begin it), `lesson-on` (opened, not finished), `exercise` (of a finished lesson), `exercise-on` (a draft
    or a submission exists), or `done` (everything that exists is finished; `id` is empty).
    """

    kind: Literal["lesson", "lesson-on", "exercise", "exercise-on", "done"]
    id: str = ""


@dataclass(frozen=True, slots=True)
class AnswerLine:
    """An answer to an objection: whose `id`, in which exercise, when."""

    id: str
    exercise_id: str
    answered_at: datetime


@dataclass(frozen=True, slots=True)
class Home:
    """Everything on the page.

    Attributes:
        unseen: verdicts that their author has not looked at, newest first.
        answers: to objections, that their author has not looked at, newest first.
        waiting: submissions that are queued or being graded.
        shares: module id -> share of its lessons and exercises, planned ones included, that are done, 0..1.
        lessons: opened lesson id -> when it was done, or None.
        exercises: exercise id -> best verdict so far, or None when only begun.
    """

    next_step: NextStep
    running: SandboxView | None
    unseen: tuple[SubmissionLine, ...]
    answers: tuple[AnswerLine, ...]
    waiting: tuple[SubmissionLine, ...]
    shares: Mapping[str, float]
    lessons: Mapping[str, datetime | None]
    exercises: Mapping[str, Verdict | None]


class Homes:
    """Gathers `Home`."""

    def __init__(self, database: Database, library: Library) -> None:
        self._database = database
        self._library = library

    def of(self, user_id: str) -> Home:
        """The home page of a learner. Five statements."""
        catalog = self._library.catalog
        columns = [getattr(Submission, name) for name in SubmissionLine.__dataclass_fields__]
        mine = Submission.user_id == user_id
        open_or_unseen = Submission.seen_at.is_(None) & (Submission.verdict.is_not(None) | Submission.finished_at.is_(None))
        with self._database.read() as session:
            read = select(LessonProgress.lesson_id, LessonProgress.done_at).where(LessonProgress.user_id == user_id)
            lessons = dict(session.execute(read).all())
            verdicts = session.execute(select(Submission.exercise_id, Submission.verdict).where(mine).distinct()).all()
            drafts = select(literal("").label("objection"), Draft.exercise_id, Draft.saved_at).where(Draft.user_id == user_id)
            answers = select(Objection.id, Objection.exercise_id, Objection.answered_at).where(*_new_answers(user_id))
            begun: Sequence[Any] = session.execute(union_all(drafts, answers)).all()
            newest = select(*columns).where(mine, open_or_unseen).order_by(Submission.created_at.desc()).limit(20)
            lines = [SubmissionLine(*row) for row in session.execute(newest)]
            running = session.scalar(
                select(SandboxRow).where(
                    SandboxRow.owner_id == user_id,
                    SandboxRow.purpose == Purpose.PRACTICE,
                    SandboxRow.state != SandboxState.GONE,
                    SandboxRow.stop_wanted.is_(False),
                )
            )
        exercises: dict[str, Verdict | None] = {exercise_id: None for objection, exercise_id, _at in begun if not objection}
        answered = [AnswerLine(*row) for row in begun if row.objection]
        for exercise_id, verdict in verdicts:
            exercises[exercise_id] = _better(exercises.get(exercise_id), verdict)
        return Home(
            next_step=next_step(catalog, lessons, exercises),
            running=row_view(running) if running else None,
            unseen=tuple(line for line in lines if line.state not in _OPEN),
            answers=tuple(sorted(answered, key=lambda line: line.answered_at, reverse=True)),
            waiting=tuple(line for line in lines if line.state in _OPEN),
            shares={module.id: share(module, lessons, exercises) for module in catalog.modules},
            lessons=lessons,
            exercises=exercises,
        )

    def unseen(self, user_id: str) -> int:
        """How many verdicts and answers to objections their author has not looked at. One statement."""
        newer = (Submission.seen_at.is_(None), Submission.verdict.is_not(None), Submission.state.not_in(_OPEN))
        verdicts = select(func.count()).where(Submission.user_id == user_id, *newer)
        answers = select(func.count()).where(*_new_answers(user_id))
        with self._database.read() as session:
            return session.scalar(select(verdicts.scalar_subquery() + answers.scalar_subquery())) or 0


def _new_answers(user_id: str) -> tuple[ColumnElement[bool], ...]:
    return Objection.user_id == user_id, Objection.answered_at.is_not(None), Objection.answer_seen_at.is_(None)


def next_step(catalog: Catalog, lessons: Mapping[str, datetime | None], exercises: Mapping[str, Verdict | None]) -> NextStep:
    """The first thing in course order that can be opened and is not done; an exercise follows its lesson."""
    for module in catalog.modules:
        practice = {entry.lesson_id: entry.id for entry in module.open_exercises}
        for lesson in module.open_lessons:
            if lessons.get(lesson.id) is None:
                return NextStep("lesson-on" if lesson.id in lessons else "lesson", lesson.id)
            exercise_id = practice.get(lesson.id)
            if exercise_id and exercises.get(exercise_id) != Verdict.PASSED:
                return NextStep("exercise-on" if exercise_id in exercises else "exercise", exercise_id)
    return NextStep("done")


def share(module: Module, lessons: Mapping[str, datetime | None], exercises: Mapping[str, Verdict | None]) -> float:
    """Share of what a module announces (planned things included) that is done, 0..1."""
    steps = [lessons.get(entry.id) is not None for entry in module.lessons]
    steps += [exercises.get(entry.id) == Verdict.PASSED for entry in module.exercises]
    return sum(steps) / len(steps) if steps else 0.0


def _better(one: Verdict | None, other: Verdict | None) -> Verdict | None:
    order = (None, Verdict.ERRORED, Verdict.FAILED, Verdict.PASSED)
    return max(one, other, key=order.index)
