"""What a learner did: lessons read, quizzes answered, drafts, restore points, hints opened, objections made."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime, new_id, now


class LessonProgress(Base):
    """A learner and a lesson: opened, and done."""

    __tablename__ = "lesson_progress"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    lesson_id: Mapped[str] = mapped_column(String(24), primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class QuizAnswer(Base):
    """The newest answer to a quiz; `first_correct` keeps how the first one went."""

    __tablename__ = "quiz_answers"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    quiz_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    lesson_id: Mapped[str] = mapped_column(String(24), index=True)
    answer: Mapped[str] = mapped_column(Text)  #: JSON: list of option numbers, or a number
    correct: Mapped[bool] = mapped_column()
    first_correct: Mapped[bool] = mapped_column()
    tries: Mapped[int] = mapped_column(default=1)
    answered_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Draft(Base):
    """The learner's files of an exercise. A save must name the revision it was based on."""

    __tablename__ = "drafts"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    exercise_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    revision: Mapped[int] = mapped_column(default=1)
    files: Mapped[str] = mapped_column(Text)  #: JSON path -> text
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class RestorePoint(Base):
    """Files kept before something replaced them; the last 30 of a learner and exercise."""

    __tablename__ = "restore_points"
    __table_args__ = (Index("ix_restore_points_owner", "user_id", "exercise_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    exercise_id: Mapped[str] = mapped_column(String(48))
    reason: Mapped[str] = mapped_column(String(24))  #: reset, submit, run, restore, conflict
    files: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class HintOpened(Base):
    """Opening a hint costs nothing and is recorded."""

    __tablename__ = "hints_opened"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    exercise_id: Mapped[str] = mapped_column(String(48), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)


class Objection(Base):
    """A learner says that a check judged wrongly. The evidence is the attempt: its report, seed and files never change."""

    __tablename__ = "objections"
    __table_args__ = (UniqueConstraint("attempt_id", "check_id"), Index("ix_objections_state", "answered_at", "created_at"))

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    exercise_id: Mapped[str] = mapped_column(String(48))
    attempt_kind: Mapped[str] = mapped_column(String(12))  #: submission, run
    attempt_id: Mapped[str] = mapped_column(String(20))
    check_id: Mapped[str] = mapped_column(String(48))
    seed: Mapped[int] = mapped_column()
    files_hash: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    answered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answer_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  #: when its author first saw the newest answer
