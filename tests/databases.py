"""Both databases for the same tests: SQLite in a file, and a PostgreSQL server of our own that ends with the test run.

The fixtures are those of the contract suite: its `conftest.py` imports them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest

from app import migrate
from app.accounts.model import User
from app.db import Database, make_engine, new_id
from tests.product import free_port

START_SECONDS = 30.0


def postgres_programs() -> Path | None:
    """Folder with `initdb` and `postgres`, the newest version first; None where there is none."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return next((place for place in [*places, Path("/usr/local/bin")] if (place / "initdb").exists()), None)


@contextmanager
def postgres() -> Iterator[str]:
    """A private server on a free port; yields its URL. It refuses to run as root, so root runs it as `postgres` or `nobody`."""
    programs = postgres_programs()
    assert programs is not None
    folder = Path(tempfile.mkdtemp(prefix="soty-postgres-"))
    port, options = free_port(), {}
    if os.geteuid() == 0:
        account = next(entry for entry in pwd.getpwall() if entry.pw_name in ("postgres", "nobody"))
        os.chown(folder, account.pw_uid, account.pw_gid)
        options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    try:
        argv = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "soty",
            "--auth=trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(argv, check=True, timeout=60, **quiet)
        settings = ["fsync=off", "listen_addresses=127.0.0.1", f"port={port}", f"unix_socket_directories={folder}"]
        flags = [flag for setting in settings for flag in ("-c", setting)]
        server = subprocess.Popen([programs / "postgres", "-D", folder / "data", *flags], **quiet)
        try:
            yield _answering(f"postgresql://soty@127.0.0.1:{port}/postgres")
        finally:
            server.send_signal(2)
            server.wait(15)
    finally:
        shutil.rmtree(folder)


def _answering(url: str) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return url
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of the server; skips where PostgreSQL is not installed, and fails there under CI=true."""
    if postgres_programs() is None:
        reason = "PostgreSQL is not installed (apt-get install postgresql)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, once per kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'soty.sqlite3'}"
        return
    server, name = request.getfixturevalue("postgres_url"), f"t{new_id()}"
    with closing(psycopg.connect(server, autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield server.replace("postgresql://", "postgresql+psycopg://").removesuffix("postgres") + name
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with the newest schema, once per kind."""
    engine = make_engine(database_url)
    migrate.upgrade(engine)
    yield Database(engine)
    engine.dispose()


def add_user(database: Database, name: str = "anna") -> str:
    """A learner's row, without a password that anybody could use; returns its id."""
    with database.transaction() as session:
        user = User(name=name, name_key=name, password_hash="!")
        session.add(user)
        session.flush()
        return user.id
