"""What was handed in, what was tried, and what came of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime, new_id, now


class SubmissionState(StrEnum):
    """`queued -> grading -> graded | errored`; an errored one may be queued again."""

    QUEUED = "queued"
    GRADING = "grading"
    GRADED = "graded"
    ERRORED = "errored"


class Verdict(StrEnum):
    """`failed` blames the work and says why; `errored` blames us and costs nothing."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"


class Submission(Base):
    """An immutable snapshot of a workspace, and its verdict once there is one."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("user_id", "exercise_id", "idempotency_key"),
        Index("ix_submissions_user_exercise", "user_id", "exercise_id", "created_at"),
        Index("ix_submissions_exercise_verdict", "exercise_id", "verdict"),
    )

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    exercise_id: Mapped[str] = mapped_column(String(48))
    content_hash: Mapped[str] = mapped_column(String(64))  #: of the exercise it was graded against
    files: Mapped[str] = mapped_column(Text)  #: JSON path -> text, the editable files
    files_hash: Mapped[str] = mapped_column(String(64))
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    state: Mapped[SubmissionState] = mapped_column(default=SubmissionState.QUEUED, index=True)
    verdict: Mapped[Verdict | None] = mapped_column()
    score: Mapped[int | None] = mapped_column()
    seed: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now, index=True)
    started_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)  #: when its author first saw the verdict
    report: Mapped[str | None] = mapped_column(Text)  #: JSON of `app.grading.report.Report`
    progress: Mapped[str] = mapped_column(Text, default="{}")  #: JSON: stage and finished checks while it runs
    traces: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  #: `app.grading.trace.packed`; read on its own


class Run(Base):
    """One *Run checks* on a learner's own sandbox: a trial that does not count."""

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_user_exercise", "user_id", "exercise_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    exercise_id: Mapped[str] = mapped_column(String(48))
    sandbox_id: Mapped[str] = mapped_column(String(20), index=True)
    files: Mapped[str] = mapped_column(Text)
    only: Mapped[str] = mapped_column(Text, default="[]")  #: JSON list of check ids; empty: all
    state: Mapped[SubmissionState] = mapped_column(default=SubmissionState.QUEUED)
    verdict: Mapped[Verdict | None] = mapped_column()
    seed: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    report: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[str] = mapped_column(Text, default="{}")
    traces: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    series_id: Mapped[str | None] = mapped_column(String(20), index=True)  #: the series that it is part of
    number: Mapped[int | None] = mapped_column()  #: in the series, from 1


class Series(Base):
    """The same trial several times with other seeds, to find failures that come now and then. Its runs name it."""

    __tablename__ = "series"
    __table_args__ = (Index("ix_series_user_exercise", "user_id", "exercise_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    exercise_id: Mapped[str] = mapped_column(String(48))
    sandbox_id: Mapped[str] = mapped_column(String(20))
    files: Mapped[str] = mapped_column(Text)
    only: Mapped[str] = mapped_column(Text, default="[]")
    wanted: Mapped[int] = mapped_column()  #: runs
    stop_at_failure: Mapped[bool] = mapped_column(default=False)
    stop_wanted: Mapped[bool] = mapped_column(default=False)
    state: Mapped[SubmissionState] = mapped_column(default=SubmissionState.QUEUED)
    reason: Mapped[str] = mapped_column(String(48), default="")  #: machine code, where it ended too early
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
