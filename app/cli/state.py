"""The database of a command, only with the newest schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app import migrate
from app.db import Database, make_engine
from app.errors import PlatformError
from app.settings import Settings


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """Open the application's database.

    Raises:
        PlatformError: it was not prepared yet, or by another version.
    """
    folder = settings.home / "db"
    if not settings.database_url and not (folder / "soty.sqlite3").exists():
        raise PlatformError(f"There is no database below {settings.home} yet.", cure="Start Soty once with ./run.")
    # As root too: SQLite gives the files that it makes beside a database to that database's owner.
    engine = make_engine(settings.database)
    try:
        if migrate.current_revision(engine) != migrate.head_revision():
            raise PlatformError("The database has another schema than this version needs.", cure="Start Soty with ./run.")
        yield Database(engine)
    finally:
        engine.dispose()
