"""The schema is what the migrations make it, on both databases, whatever happens while they run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from app import migrate
from app.accounts.model import Role, User
from app.db import Database, make_engine
from app.jobs.model import Job, JobState
from app.sandbox.row import SandboxRow
from tests.databases import add_user
from tests.product import TOP


def differences(url: str) -> list[Any]:
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        found = compare_metadata(context, migrate.metadata())
    engine.dispose()
    return found


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    found = set(inspect(engine).get_table_names())
    engine.dispose()
    return found


def test_migrating_up_down_and_up_again_gives_what_the_models_say(database_url: str) -> None:
    engine = make_engine(database_url)
    migrate.upgrade(engine)
    migrate.downgrade(engine, "base")
    assert tables(database_url) == {"alembic_version"}
    migrate.upgrade(engine)
    migrate.upgrade(engine)  # nothing left to do
    assert migrate.current_revision(engine) == migrate.head_revision()
    engine.dispose()
    assert differences(database_url) == []


def test_a_model_that_no_migration_knows_is_noticed(database: Database, database_url: str) -> None:
    with database.transaction() as session:
        session.execute(text("DROP INDEX ix_jobs_ready"))
    assert [change[0] for change in differences(database_url)] == ["add_index"]


def test_a_schema_from_the_future_is_refused(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(migrate.SchemaTooNew):
        migrate.upgrade(database.engine)


def test_a_migration_killed_halfway_leaves_the_old_schema_and_runs_again(database_url: str) -> None:
    script = f"""
        import os, signal
        from alembic import op
        from app import migrate
        from app.db import make_engine
        create, made = op.create_table, []
        def die_at_the_fifth(name, *columns, **options):
            made.append(name)
            if len(made) == 5:
                os.kill(os.getpid(), signal.SIGKILL)
            return create(name, *columns, **options)
        op.create_table = die_at_the_fifth
        migrate.upgrade(make_engine({database_url!r}))
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=TOP, timeout=60, check=False)
    assert result.returncode == -signal.SIGKILL
    assert tables(database_url) <= {"alembic_version"}
    engine = make_engine(database_url)
    migrate.upgrade(engine)
    engine.dispose()
    assert differences(database_url) == []


def test_two_that_migrate_at_the_same_time_do_it_once(database_url: str) -> None:
    argv = [sys.executable, "-m", "app.migrate"]
    environment = {**os.environ, "SOTY_DATABASE_URL": database_url.replace("+psycopg", "")}
    both = [subprocess.Popen(argv, cwd=TOP, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert differences(database_url) == []


def test_a_subject_has_one_open_job_and_may_have_many_closed_ones(database: Database) -> None:
    with database.transaction() as session:
        session.add_all(
            Job(kind="grade", subject_id="s", state=state) for state in (JobState.DONE, JobState.DEAD, JobState.QUEUED)
        )
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(Job(kind="grade", subject_id="s", state=JobState.LEASED))


def test_a_learner_has_one_practice_sandbox_until_it_is_told_to_stop(database: Database) -> None:
    owner = add_user(database)
    row = {"owner_id": owner, "exercise_id": "e", "content_hash": "h"}
    with database.transaction() as session:
        session.add_all([SandboxRow(**row, stop_wanted=True), SandboxRow(**row, purpose="grading"), SandboxRow(**row)])
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(SandboxRow(**row))


def test_words_and_times_come_back_as_they_were_meant(database: Database) -> None:
    add_user(database)
    with database.read() as session:
        user = session.scalars(select(User)).one()
    assert user.role is Role.LEARNER
    assert user.created_at.utcoffset().total_seconds() == 0
