"""What the taps saw, kept beside each report."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("submissions", "runs")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("traces", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "traces")
