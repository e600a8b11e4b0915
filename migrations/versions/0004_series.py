"""Series of trials."""

import sqlalchemy as sa
from alembic import op

from app.db import UTCDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("user_id", sa.String(20), nullable=False),
        sa.Column("exercise_id", sa.String(48), nullable=False),
        sa.Column("sandbox_id", sa.String(20), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("only", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("stop_at_failure", sa.Boolean(), nullable=False),
        sa.Column("stop_wanted", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(48), nullable=False),
        sa.Column("created_at", UTCDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", UTCDateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_series_user_id_users", ondelete="CASCADE"),
    )
    op.create_index("ix_series_user_exercise", "series", ["user_id", "exercise_id", "created_at"])
    op.add_column("runs", sa.Column("series_id", sa.String(20), nullable=True))
    op.add_column("runs", sa.Column("number", sa.Integer(), nullable=True))
    op.create_index("ix_runs_series_id", "runs", ["series_id"])


def downgrade() -> None:
    op.drop_index("ix_runs_series_id", "runs")
    op.drop_column("runs", "number")
    op.drop_column("runs", "series_id")
    op.drop_table("series")
