"""Learners' objections to checks."""

import sqlalchemy as sa
from alembic import op

from app.db import UTCDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "objections",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("user_id", sa.String(20), nullable=False),
        sa.Column("exercise_id", sa.String(48), nullable=False),
        sa.Column("attempt_kind", sa.String(12), nullable=False),
        sa.Column("attempt_id", sa.String(20), nullable=False),
        sa.Column("check_id", sa.String(48), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("files_hash", sa.String(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(20), nullable=True),
        sa.Column("answered_at", UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_objections"),
        sa.UniqueConstraint("attempt_id", "check_id", name="uq_objections_attempt_id_check_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_objections_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["answered_by"], ["users.id"], name="fk_objections_answered_by_users", ondelete="SET NULL"),
    )
    op.create_index("ix_objections_user_id", "objections", ["user_id"])
    op.create_index("ix_objections_state", "objections", ["answered_at", "created_at"])


def downgrade() -> None:
    op.drop_table("objections")
