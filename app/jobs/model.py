"""The job row: queue, lease and outbox in one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime, new_id, now


class JobState(StrEnum):
    """`queued -> leased -> done | dead`; a lost or released lease goes back to `queued`."""

    QUEUED = "queued"
    LEASED = "leased"
    DONE = "done"
    DEAD = "dead"  #: gave up after three platform faults or ten lost leases


class Job(Base):
    """Work to be done once.

    Attributes:
        kind: which handler takes it (`grade`, `trial`, …).
        subject_id: id of the thing it is about; handlers load everything else themselves.
        fair_key: whose turn it uses up (the learner), for fair claiming.
        fence: grows with every claim; a result is written only by the holder of the newest value.
        faults: platform faults so far (three allowed).
        lost: leases lost so far (ten allowed).
        beat: grows with every heartbeat; the sweeper judges it by its own monotonic clock.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_ready", "state", "run_at", "id"),
        Index("ix_jobs_fair_key_state", "fair_key", "state"),
        Index("uq_jobs_open_subject", "kind", "subject_id", unique=True,
              sqlite_where=text("state IN ('queued', 'leased')"), postgresql_where=text("state IN ('queued', 'leased')")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(20), index=True)
    fair_key: Mapped[str] = mapped_column(String(20), default="")
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[JobState] = mapped_column(default=JobState.QUEUED)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    run_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)  #: not before
    claimed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    holder: Mapped[str] = mapped_column(String(64), default="")  #: worker id of the lease
    fence: Mapped[int] = mapped_column(default=0)
    beat: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(Text, default="")
