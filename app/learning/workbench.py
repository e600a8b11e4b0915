"""What the page of an exercise shows of a learner's work: three statements, however much they have tried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Literal

from sqlalchemy import CompoundSelect, literal, null, select, union_all

from app.content.text import Text
from app.db import Database
from app.grading.model import Run, Submission, SubmissionState, Verdict
from app.learning.drafts import Drafts, DraftView
from app.learning.hints import Hints
from app.sandbox.model import Purpose
from app.sandbox.row import SandboxRow

KEPT_STARTS = 21  #: newest starts that a usual time looks back on


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the history: a submission, or a run that does not count. `score`: 0..100 of a graded submission."""

    kind: Literal["submission", "run"]
    id: str
    state: SubmissionState
    verdict: Verdict | None
    score: int | None
    created_at: datetime

    @property
    def settled(self) -> bool:
        """Whether it has ended."""
        return self.state in (SubmissionState.GRADED, SubmissionState.ERRORED)


@dataclass(frozen=True, slots=True)
class Workbench:
    """A learner's work on one exercise.

    Attributes:
        hints: those opened so far, in order.
        attempts: newest first.
    """

    draft: DraftView
    hints: tuple[Text, ...]
    attempts: tuple[Attempt, ...]

    @property
    def passed(self) -> bool:
        """Whether a submission among these passed."""
        return any(attempt.kind == "submission" and attempt.verdict == Verdict.PASSED for attempt in self.attempts)


class Workbenches:
    """Gathers `Workbench`."""

    def __init__(self, database: Database, drafts: Drafts, hints: Hints) -> None:
        self._database = database
        self._drafts = drafts
        self._hints = hints

    def of(self, user_id: str, exercise_id: str) -> Workbench:
        """What the page shows.

        Raises:
            NotFound: no such exercise.
        """
        return Workbench(
            draft=self._drafts.open(user_id, exercise_id),
            hints=tuple(self._hints.opened(user_id, exercise_id)),
            attempts=self.attempts(user_id, exercise_id),
        )

    def attempts(self, user_id: str, exercise_id: str, limit: int = 20) -> tuple[Attempt, ...]:
        """Submissions and runs of a learner and exercise, newest first."""
        s, r = Submission, Run
        handed_in = select(literal("submission"), s.id, s.state, s.verdict, s.score, s.created_at.label("at"))
        tried = select(literal("run"), r.id, r.state, r.verdict, null(), r.created_at)
        both: CompoundSelect[str, str, SubmissionState, Verdict | None, int | None, datetime] = union_all(
            handed_in.where(s.user_id == user_id, s.exercise_id == exercise_id),
            tried.where(r.user_id == user_id, r.exercise_id == exercise_id),
        )
        newest_first = both.order_by(both.selected_columns.at.desc(), both.selected_columns.id).limit(limit)
        with self._database.read() as session:
            return tuple(Attempt(*row) for row in session.execute(newest_first))  # type: ignore[arg-type]

    def usual_start(self, exercise_id: str) -> float:
        """Median seconds from the wish for a sandbox until it was ready, over everybody's newest; 0 while there is none."""
        started = select(SandboxRow.created_at, SandboxRow.ready_at).where(
            SandboxRow.exercise_id == exercise_id, SandboxRow.purpose == Purpose.PRACTICE, SandboxRow.ready_at.is_not(None)
        )
        with self._database.read() as session:
            rows = session.execute(started.order_by(SandboxRow.created_at.desc()).limit(KEPT_STARTS)).all()
        seconds = [(ready - created).total_seconds() for created, ready in rows if ready]
        return median(seconds) if seconds else 0.0
