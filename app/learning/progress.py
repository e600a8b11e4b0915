"""Which lessons a learner has opened and finished."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import Database, now
from app.learning.model import LessonProgress


class LessonReading:
    """Remembers reading. Callers pass only lesson ids that the catalog has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def opened(self, user_id: str, lesson_id: str) -> None:
        """Remember the first opening; later ones change nothing."""
        with self._database.read() as session:
            if session.get(LessonProgress, (user_id, lesson_id)):
                return
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        row = {"user_id": user_id, "lesson_id": lesson_id, "opened_at": now()}
        with self._database.transaction() as session:
            session.execute(insert(LessonProgress).values(**row).on_conflict_do_nothing())

    def done(self, user_id: str, lesson_id: str, *, done: bool = True) -> None:
        """Mark a lesson as done, or take the mark back; the first time stays."""
        self.opened(user_id, lesson_id)
        mine = (LessonProgress.user_id == user_id, LessonProgress.lesson_id == lesson_id)
        changes = LessonProgress.done_at.is_(None) if done else LessonProgress.done_at.is_not(None)
        with self._database.transaction() as session:
            session.execute(update(LessonProgress).where(*mine, changes).values(done_at=now() if done else None))

    def all(self, user_id: str) -> dict[str, datetime | None]:
        """Every opened lesson -> when it was done, or None."""
        mine = select(LessonProgress.lesson_id, LessonProgress.done_at).where(LessonProgress.user_id == user_id)
        with self._database.read() as session:
            return dict(session.execute(mine).all())
