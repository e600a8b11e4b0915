"""Bring the database's schema to the newest version: `python -m app.migrate`.

All steps of one call are one transaction on SQLite and on PostgreSQL, so a killed migration leaves the old schema.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, MetaData

from app.db import Base, make_engine, writer
from app.errors import PlatformError
from app.settings import CHECKOUT, load_settings

MODELS = ("app.accounts.model", "app.jobs.model", "app.sandbox.row", "app.grading.model", "app.learning.model")
_LOCK = 0x50743  #: advisory lock of PostgreSQL: one migrator at a time


class SchemaTooNew(PlatformError):
    """The database was written by a newer version of Soty."""

    code = "schema-too-new"


def metadata() -> MetaData:
    """Metadata with every model loaded."""
    for name in MODELS:
        importlib.import_module(name)
    return Base.metadata


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Apply the missing steps up to `revision`; does nothing when there are none.

    Raises:
        SchemaTooNew: the database names a revision that this code does not have.
    """
    with _migrating(engine) as (config, connection):
        have = MigrationContext.configure(connection).get_current_revision()
        known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
        if have is not None and have not in known:
            raise SchemaTooNew(
                f"The database has schema {have}, which this version of Soty does not know.", cure="Start the newer version."
            )
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Undo steps down to `revision` (`base`: all of them, with all data)."""
    with _migrating(engine) as (config, _):
        command.downgrade(config, revision)


def current_revision(engine: Engine) -> str | None:
    """Revision of the database's schema; None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """Newest revision that this code has."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(CHECKOUT, "migrations")).replace("%", "%%"))
    return config


@contextmanager
def _migrating(engine: Engine) -> Iterator[tuple[Config, Connection]]:
    sqlite = engine.dialect.name == "sqlite"
    config = _config()
    with writer(engine).connect() as connection:
        if sqlite:  # only outside a transaction; else rebuilding a table would cascade through its children
            raw: Any = connection.connection.driver_connection
            raw.execute("PRAGMA foreign_keys=OFF")
        with connection.begin():
            if not sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            yield config, connection
            if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
                raise PlatformError(f"The migration would leave {len(broken)} rows without their parents.")
        connection.detach()  # its pragma must not return to the pool


def main() -> int:
    """Entry of `python -m app.migrate`; returns the exit code."""
    try:
        engine = make_engine(load_settings().database)
        before = current_revision(engine)
        upgrade(engine)
    except PlatformError as error:
        print(f"{error.message} {error.cure or ''}".strip(), file=sys.stderr)
        return 1
    after = current_revision(engine)
    print(f"Database schema {after}" + ("" if before == after else f" (was {before or 'empty'})"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
