"""Every verdict is in the audit log; what is rare there is found as quickly as before."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    rare = sa.text("action <> 'submission.graded'")
    op.create_index("ix_audit_events_action", "audit_events", ["action", "id"])
    op.create_index("ix_audit_events_rare", "audit_events", ["id"], sqlite_where=rare, postgresql_where=rare)


def downgrade() -> None:
    op.drop_index("ix_audit_events_rare", "audit_events")
    op.drop_index("ix_audit_events_action", "audit_events")
