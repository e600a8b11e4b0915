"""The sandbox's row in the app's database: intent, plus the last state that the reconciler wrote back.

Imported by `web` and `worker` only; `sandboxd` keeps its own journal.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, UTCDateTime, new_id, now
from app.sandbox.model import Purpose, SandboxState


class SandboxRow(Base):
    """One sandbox that somebody wanted. `state`, `reason` and `ended_at` are written by the reconciler alone."""

    __tablename__ = "sandboxes"
    __table_args__ = (
        Index("ix_sandboxes_owner_state", "owner_id", "state"),
        Index("uq_sandboxes_one_practice", "owner_id", unique=True,
              sqlite_where=text("purpose = 'practice' AND state <> 'gone' AND stop_wanted = 0"),
              postgresql_where=text("purpose = 'practice' AND state <> 'gone' AND NOT stop_wanted")),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(20), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    exercise_id: Mapped[str] = mapped_column(String(48), index=True)
    content_hash: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[Purpose] = mapped_column(default=Purpose.PRACTICE)
    files: Mapped[str] = mapped_column(Text, default="{}")  #: JSON path -> text, as launched; the reconciler may launch again
    state: Mapped[SandboxState] = mapped_column(default=SandboxState.QUEUED)
    reason: Mapped[str] = mapped_column(String(32), default="")
    stop_wanted: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime, default=now)
    ready_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
