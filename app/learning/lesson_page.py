"""What a lesson's page must know about its reader: one statement, however long the course is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import text

from app.db import Database
from app.grading.model import Verdict


@dataclass(frozen=True, slots=True)
class Reader:
    """How far a learner is.

    Attributes:
        lessons: opened lesson of the module -> whether it is done.
        answers: answered quiz of the lesson -> the newest answer.
        verdicts: verdicts of submissions for the lesson's exercise, without order.
        unseen: verdicts and answers to objections, of any exercise, that the learner has not looked at: what the bell shows.
    """

    lessons: Mapping[str, bool] = field(default_factory=dict)
    answers: Mapping[str, list[int] | float] = field(default_factory=dict)
    verdicts: frozenset[str] = frozenset()
    unseen: int = 0

    @property
    def passed(self) -> bool:
        """Whether the lesson's exercise is solved."""
        return Verdict.PASSED.value in self.verdicts


GUEST = Reader()
#: written out, since building and caching the same statement with expressions costs more than running it
_READER = text("""
    SELECT 'lesson' AS kind, lesson_id AS item, '' AS value, done_at IS NOT NULL AS flag
      FROM lesson_progress WHERE user_id = :user_id AND lesson_id >= :first AND lesson_id < :beyond
    UNION ALL
    SELECT 'quiz', quiz_id, answer, correct FROM quiz_answers WHERE user_id = :user_id AND lesson_id = :lesson_id
    UNION ALL
    SELECT DISTINCT 'verdict', exercise_id, verdict, verdict IS NOT NULL
      FROM submissions WHERE user_id = :user_id AND exercise_id = :exercise_id
    UNION ALL
    SELECT 'unseen', id, '', TRUE FROM submissions
     WHERE user_id = :user_id AND seen_at IS NULL AND verdict IS NOT NULL AND state NOT IN ('queued', 'grading')
    UNION ALL
    SELECT 'unseen', id, '', TRUE FROM objections
     WHERE user_id = :user_id AND answered_at IS NOT NULL AND answer_seen_at IS NULL
""")


class LessonPages:
    """Gathers `Reader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reader(self, user_id: str, module_id: str, lesson_id: str, exercise_id: str | None) -> Reader:
        """What the page of `lesson_id` shows of a learner's work."""
        asked = {
            "user_id": user_id, "lesson_id": lesson_id, "exercise_id": exercise_id or "",
            "first": f"{module_id}-l", "beyond": f"{module_id}-m",
        }  # fmt: skip
        rows = self._database.fetch(_READER, **asked)
        return Reader(
            lessons={item: bool(flag) for kind, item, _value, flag in rows if kind == "lesson"},
            answers={item: json.loads(value) for kind, item, value, _flag in rows if kind == "quiz"},
            verdicts=frozenset(value for kind, _item, value, flag in rows if kind == "verdict" and flag),
            unseen=sum(kind == "unseen" for kind, *_rest in rows),
        )
