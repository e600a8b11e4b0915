"""What is done before the first process starts."""

from __future__ import annotations

from app import migrate
from app.accounts.users import Users
from app.content.library import load_catalog
from app.db import Database, make_engine
from app.settings import Settings


def prepare(settings: Settings) -> str:
    """Before the first process starts: the newest schema, the secret key, lessons rendered into the cache and, where nobody
    is there yet, an administrator.

    Returns:
        The one-time password of a new `admin`, else an empty string.
    """
    engine = make_engine(settings.database)
    migrate.upgrade(engine)
    _ = settings.secret
    for old in (settings.home / "metrics").glob("*.db"):
        old.unlink()
    load_catalog(settings.lessons_dir, settings.exercises_dir, settings.cache_dir)
    try:
        return Users(Database(engine)).ensure_admin() or ""
    finally:
        engine.dispose()
