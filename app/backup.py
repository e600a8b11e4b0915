"""A copy of the database, consistent while in use, and the way back.

SQLite is copied page by page with its own backup interface, PostgreSQL with pg_dump. Files of sandboxes and images are not
part of it: they can all be made anew.
"""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.engine import URL, make_url

from app import migrate
from app.accounts import audit
from app.accounts.model import RateBucket, SignIn
from app.db import Database, make_engine
from app.errors import Conflict, InvalidInput, NotFound, PlatformError
from app.settings import Settings

SECONDS = 1800


def back_up(settings: Settings, target: Path) -> None:
    """Write a backup that only its owner may read; complete or not there at all.

    Raises:
        Conflict: the file exists.
        PlatformError: the copy is damaged, or pg_dump failed.
    """
    if target.exists():
        raise Conflict(f"{target} exists.", cure="Choose another name; backups are never overwritten.")
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        url = make_url(settings.database)
        if url.get_backend_name() == "sqlite":
            _copy(Path(url.database or ""), unfinished)
            _check(unfinished)
        else:
            _postgres("pg_dump", url, "--format=custom", f"--file={unfinished}")
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)


def restore(settings: Settings, source: Path) -> None:
    """Replace the database by a backup, bring its schema up to date and end every sign-in.

    Raises:
        NotFound: there is no such file.
        InvalidInput: the file is not a backup, or is damaged.
        Conflict: Soty is running.
    """
    if not source.is_file():
        raise NotFound(f"There is no file {source}.")
    if _running(settings):
        raise Conflict("Soty is running.", cure="Stop it first, then restore.")
    url = make_url(settings.database)
    if url.get_backend_name() == "sqlite":
        _check(source)
        path = Path(url.database or "")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        if os.geteuid() == 0:
            os.chown(path, path.parent.stat().st_uid, path.parent.stat().st_gid)
        _copy(source, path)
    else:
        _postgres("pg_restore", url, "--clean", "--if-exists", "--no-owner", "--single-transaction", str(source))
    engine = make_engine(settings.database)
    try:
        migrate.upgrade(engine)
        with Database(engine).transaction() as session:
            session.execute(delete(SignIn))
            session.execute(delete(RateBucket))
            audit.record(session, None, "database.restore")
    finally:
        engine.dispose()


def _copy(source: Path, target: Path) -> None:
    """SQLite's backup interface: a consistent picture, whoever writes meanwhile."""
    readable = f"file:{source}?mode=ro"
    with closing(sqlite3.connect(readable, uri=True, timeout=10)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            (verdict,) = file.execute("PRAGMA integrity_check").fetchone()
            ours = file.execute("SELECT count(*) FROM sqlite_master WHERE name IN ('users', 'alembic_version')").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise InvalidInput(f"{path} is not a backup of Soty.") from error
    if verdict != "ok" or ours != 2:
        raise InvalidInput(f"{path} is " + ("damaged." if verdict != "ok" else "not a backup of Soty."))


def _postgres(tool: str, url: URL, *arguments: str) -> None:
    """Run a tool of PostgreSQL; the password goes through the environment, never through the command line."""
    program = shutil.which(tool)
    if program is None:
        raise PlatformError(f"{tool} is not installed.", cure="Install PostgreSQL's client tools.")
    password = {"PGPASSWORD": url.password} if url.password else {}
    place = url.set(drivername="postgresql", password=None).render_as_string()
    result = subprocess.run(
        [program, "--dbname", place, *arguments],
        env={"PATH": os.defpath, **password},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if result.returncode != 0:
        raise PlatformError(f"{tool} failed: {result.stderr.strip()[-500:]}")


def _running(settings: Settings) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        return probe.connect_ex(str(settings.sandboxd_dir / "control.sock")) == 0
