"""Hints, one at a time. Opening one costs nothing and is recorded."""

from __future__ import annotations

from sqlalchemy import select

from app.content.text import Text
from app.db import Database
from app.errors import Conflict, NotFound
from app.grading.exercises import Exercises, find_exercise
from app.learning.model import HintOpened


class Hints:
    """Open the next hint; see the opened ones."""

    def __init__(self, database: Database, exercises: Exercises) -> None:
        self._database = database
        self._exercises = exercises

    def opened(self, user_id: str, exercise_id: str) -> list[Text]:
        """Hints that the learner has opened, in order.

        Raises:
            NotFound: no such exercise.
        """
        hints = find_exercise(self._exercises, exercise_id).definition.hints
        mine = select(HintOpened.number).where(HintOpened.user_id == user_id, HintOpened.exercise_id == exercise_id)
        with self._database.read() as session:
            numbers = set(session.scalars(mine))
        return [hint for number, hint in enumerate(hints, 1) if number in numbers]

    def open(self, user_id: str, exercise_id: str, number: int) -> Text:
        """Open hint `number`, counted from 1; opening it again is the same as once.

        Raises:
            NotFound: no such exercise, or it has no such hint.
            Conflict: an earlier hint has not been opened yet.
        """
        hints = find_exercise(self._exercises, exercise_id).definition.hints
        if not 1 <= number <= len(hints):
            raise NotFound("There is no such hint.", code="no-such-hint")
        mine = select(HintOpened.number).where(HintOpened.user_id == user_id, HintOpened.exercise_id == exercise_id)
        with self._database.transaction() as session:
            numbers = set(session.scalars(mine))
            if any(earlier not in numbers for earlier in range(1, number)):
                raise Conflict("Open the earlier hints first.", code="hint-out-of-turn")
            if number not in numbers:
                session.merge(HintOpened(user_id=user_id, exercise_id=exercise_id, number=number))
        return hints[number - 1]
