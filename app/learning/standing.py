"""How a learner stands in every exercise: one statement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import literal, select, union_all

from app.db import Database
from app.grading.model import Submission, Verdict
from app.learning.model import Draft

Standing = Literal["passed", "failed", "begun"]  #: solved; handed in without success; only a draft so far
_BEST_FIRST: tuple[Standing, ...] = ("passed", "failed", "begun")


class Standings:
    """Looks up `Standing`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, user_id: str) -> Mapping[str, Standing]:
        """Exercise id -> how it stands; an exercise that was never touched is not in it."""
        drafts = select(Draft.exercise_id, literal("begun")).where(Draft.user_id == user_id)
        verdicts = select(Submission.exercise_id, Submission.verdict).where(
            Submission.user_id == user_id, Submission.verdict.in_((Verdict.PASSED, Verdict.FAILED))
        )
        with self._database.read() as session:
            rows: list[Any] = list(session.execute(union_all(drafts, verdicts.distinct())))
        found: dict[str, Standing] = {}
        for exercise_id, word in rows:
            standing: Standing = "passed" if word == "passed" else "failed" if word == "failed" else "begun"
            present = found.get(exercise_id, standing)
            found[exercise_id] = min(present, standing, key=_BEST_FIRST.index)
        return found
