"""The first schema: accounts, jobs, sandboxes, submissions, learning."""

import sqlalchemy as sa
from alembic import op

from app.db import UTCDateTime

revision = "0001"
down_revision = None

TABLES = (
    "users", "sign_ins", "api_tokens", "rate_buckets", "audit_events", "jobs", "sandboxes", "submissions", "runs",
    "lesson_progress", "quiz_answers", "drafts", "restore_points", "hints_opened",
)  # fmt: skip


def text(name: str, length: int, **options: object) -> sa.Column:
    return sa.Column(name, sa.String(length), **{"nullable": False, **options})


def time(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, UTCDateTime(timezone=True), nullable=nullable)


def number(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.Integer(), **{"nullable": False, **options})


def long_text(name: str, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=nullable)


def flag(name: str) -> sa.Column:
    return sa.Column(name, sa.Boolean(), nullable=False)


def user(name: str = "user_id", **options: object) -> sa.Column:
    return text(name, 20, **options)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def of_user(table: str, column: str = "user_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["users.id"], name=f"fk_{table}_{column}_users", ondelete="CASCADE")


def index(table: str, *columns: str, name: str = "") -> None:
    op.create_index(name or f"ix_{table}_{columns[0]}", table, list(columns))


def one_open(name: str, table: str, columns: list[str], sqlite: str, postgresql: str) -> None:
    where = {"sqlite_where": sa.text(sqlite), "postgresql_where": sa.text(postgresql)}
    op.create_index(name, table, columns, unique=True, **where)


def upgrade() -> None:
    accounts()
    jobs_and_sandboxes()
    grading()
    learning()


def accounts() -> None:
    op.create_table(
        "users",
        text("id", 20), text("name", 64), text("name_key", 128), text("email", 254, nullable=True), text("password_hash", 200),
        text("role", 16), flag("active"), text("language", 2), flag("must_change_password"),
        time("created_at"), time("seen_at", nullable=True),
        key("users", "id"),
        sa.UniqueConstraint("name_key", name="uq_users_name_key"),
        sa.UniqueConstraint("email", name="uq_users_email"),
    )  # fmt: skip
    op.create_table(
        "sign_ins",
        text("token_hash", 64), user(), time("created_at"), time("seen_at"), time("expires_at"),
        key("sign_ins", "token_hash"), of_user("sign_ins"),
    )  # fmt: skip
    index("sign_ins", "user_id")
    op.create_table(
        "api_tokens",
        text("id", 20), user(), text("token_hash", 64), text("label", 64), time("created_at"),
        time("used_at", nullable=True), time("expires_at", nullable=True), time("revoked_at", nullable=True),
        key("api_tokens", "id"), of_user("api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
    )  # fmt: skip
    index("api_tokens", "user_id")
    op.create_table(
        "rate_buckets",
        text("key", 160), number("window"), number("hits"), time("expires_at"),
        key("rate_buckets", "key", "window"),
    )  # fmt: skip
    index("rate_buckets", "expires_at")
    op.create_table(
        "audit_events",
        number("id", autoincrement=True), time("at"), user("actor_id", nullable=True), text("action", 64),
        text("target_kind", 32), text("target_id", 64), long_text("facts"),
        key("audit_events", "id"),
    )  # fmt: skip
    index("audit_events", "at")
    index("audit_events", "actor_id")
    index("audit_events", "target_kind", "target_id", name="ix_audit_events_target")


def jobs_and_sandboxes() -> None:
    op.create_table(
        "jobs",
        text("id", 20), text("kind", 32), text("subject_id", 20), text("fair_key", 20), number("priority"), text("state", 16),
        time("created_at"), time("run_at"), time("claimed_at", nullable=True), time("done_at", nullable=True),
        text("holder", 64), number("fence"), number("beat"), number("faults"), number("lost"), long_text("last_error"),
        key("jobs", "id"),
    )  # fmt: skip
    index("jobs", "state", "run_at", "id", name="ix_jobs_ready")
    index("jobs", "fair_key", "state", name="ix_jobs_fair_key_state")
    index("jobs", "subject_id")
    is_open = "state IN ('queued', 'leased')"
    one_open("uq_jobs_open_subject", "jobs", ["kind", "subject_id"], is_open, is_open)
    op.create_table(
        "sandboxes",
        text("id", 20), user("owner_id"), text("exercise_id", 48), text("content_hash", 64), text("purpose", 16),
        long_text("files"), text("state", 16), text("reason", 32), flag("stop_wanted"), time("created_at"),
        time("ready_at", nullable=True), time("expires_at", nullable=True), time("ended_at", nullable=True),
        key("sandboxes", "id"), of_user("sandboxes", "owner_id"),
    )  # fmt: skip
    index("sandboxes", "exercise_id")
    index("sandboxes", "owner_id", "state", name="ix_sandboxes_owner_state")
    one_open(
        "uq_sandboxes_one_practice", "sandboxes", ["owner_id"],
        "purpose = 'practice' AND state <> 'gone' AND stop_wanted = 0",
        "purpose = 'practice' AND state <> 'gone' AND NOT stop_wanted",
    )  # fmt: skip


def grading() -> None:
    op.create_table(
        "submissions",
        text("id", 20), user(), text("exercise_id", 48), text("content_hash", 64), long_text("files"), text("files_hash", 64),
        text("idempotency_key", 128, nullable=True), text("state", 16), text("verdict", 16, nullable=True),
        number("score", nullable=True), number("seed"), time("created_at"), time("started_at", nullable=True),
        time("finished_at", nullable=True), time("seen_at", nullable=True), long_text("report", nullable=True),
        long_text("progress"),
        key("submissions", "id"), of_user("submissions"),
        sa.UniqueConstraint(
            "user_id", "exercise_id", "idempotency_key", name="uq_submissions_user_id_exercise_id_idempotency_key"
        ),
    )  # fmt: skip
    index("submissions", "state")
    index("submissions", "created_at")
    index("submissions", "user_id", "exercise_id", "created_at", name="ix_submissions_user_exercise")
    index("submissions", "exercise_id", "verdict", name="ix_submissions_exercise_verdict")
    op.create_table(
        "runs",
        text("id", 20), user(), text("exercise_id", 48), text("sandbox_id", 20), long_text("files"), long_text("only"),
        text("state", 16), text("verdict", 16, nullable=True), number("seed"), time("created_at"),
        time("finished_at", nullable=True), long_text("report", nullable=True), long_text("progress"),
        key("runs", "id"), of_user("runs"),
    )  # fmt: skip
    index("runs", "sandbox_id")
    index("runs", "user_id", "exercise_id", "created_at", name="ix_runs_user_exercise")


def learning() -> None:
    op.create_table(
        "lesson_progress",
        user(), text("lesson_id", 24), time("opened_at"), time("done_at", nullable=True),
        key("lesson_progress", "user_id", "lesson_id"), of_user("lesson_progress"),
    )  # fmt: skip
    op.create_table(
        "quiz_answers",
        user(), text("quiz_id", 40), text("lesson_id", 24), long_text("answer"), flag("correct"), flag("first_correct"),
        number("tries"), time("answered_at"),
        key("quiz_answers", "user_id", "quiz_id"), of_user("quiz_answers"),
    )  # fmt: skip
    index("quiz_answers", "lesson_id")
    op.create_table(
        "drafts",
        user(), text("exercise_id", 48), number("revision"), long_text("files"), time("saved_at"),
        key("drafts", "user_id", "exercise_id"), of_user("drafts"),
    )  # fmt: skip
    op.create_table(
        "restore_points",
        text("id", 20), user(), text("exercise_id", 48), text("reason", 24), long_text("files"), time("created_at"),
        key("restore_points", "id"), of_user("restore_points"),
    )  # fmt: skip
    index("restore_points", "user_id", "exercise_id", "created_at", name="ix_restore_points_owner")
    op.create_table(
        "hints_opened",
        user(), text("exercise_id", 48), number("number"), time("opened_at"),
        key("hints_opened", "user_id", "exercise_id", "number"), of_user("hints_opened"),
    )  # fmt: skip


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
