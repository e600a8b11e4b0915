"""What a lesson's page must know about its reader: one statement, however long the course is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import CompoundSelect, literal, select, union_all

from app.db import Database
from app.grading.model import Submission, Verdict
from app.learning.model import LessonProgress, QuizAnswer


@dataclass(frozen=True, slots=True)
class Reader:
    """How far a learner is.

    Attributes:
        lessons: opened lesson of the module -> whether it is done.
        answers: answered quiz of the lesson -> the newest answer.
        verdicts: verdicts of submissions for the lesson's exercise, without order.
    """

    lessons: Mapping[str, bool] = field(default_factory=dict)
    answers: Mapping[str, list[int] | float] = field(default_factory=dict)
    verdicts: frozenset[str] = frozenset()

    @property
    def passed(self) -> bool:
        """Whether the lesson's exercise is solved."""
        return Verdict.PASSED.value in self.verdicts


GUEST = Reader()


class LessonPages:
    """Gathers `Reader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reader(self, user_id: str, module_id: str, lesson_id: str, exercise_id: str | None) -> Reader:
        """What the page of `lesson_id` shows of a learner's work."""
        read = select(literal("lesson"), LessonProgress.lesson_id, literal(""), LessonProgress.done_at.is_not(None))
        answered = select(literal("quiz"), QuizAnswer.quiz_id, QuizAnswer.answer, QuizAnswer.correct)
        graded = select(literal("verdict"), Submission.exercise_id, Submission.verdict, Submission.verdict.is_not(None))
        everything: CompoundSelect[str, str, str, bool] = union_all(
            read.where(
                LessonProgress.user_id == user_id, LessonProgress.lesson_id.startswith(f"{module_id}-l", autoescape=True)
            ),
            answered.where(QuizAnswer.user_id == user_id, QuizAnswer.lesson_id == lesson_id),
            graded.where(Submission.user_id == user_id, Submission.exercise_id == (exercise_id or "")).distinct(),
        )
        with self._database.read() as session:
            rows = session.execute(everything).all()
        return Reader(
            lessons={key: bool(flag) for kind, key, _text, flag in rows if kind == "lesson"},
            answers={key: json.loads(text) for kind, key, text, _flag in rows if kind == "quiz"},
            verdicts=frozenset(str(text) for kind, _key, text, flag in rows if kind == "verdict" and flag),
        )
