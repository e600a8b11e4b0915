"""Whether a learner has looked at the answer to an objection. What was answered before counts as not looked at."""

import sqlalchemy as sa
from alembic import op

from app.db import UTCDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("objections", sa.Column("answer_seen_at", UTCDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("objections", "answer_seen_at")
