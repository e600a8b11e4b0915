"""The database of a command: as its owner, and only with the newest schema."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    with _as_owner_of(folder):
        engine = make_engine(settings.database)
        try:
            if migrate.current_revision(engine) != migrate.head_revision():
                raise PlatformError("The database has another schema than this version needs.", cure="Start Soty with ./run.")
            yield Database(engine)
        finally:
            engine.dispose()


@contextmanager
def _as_owner_of(folder: Path) -> Iterator[None]:
    """As root, act as the account that owns the folder, so that no file in it becomes root's."""
    if os.geteuid() != 0 or not folder.exists():
        yield
        return
    owner = folder.stat()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
