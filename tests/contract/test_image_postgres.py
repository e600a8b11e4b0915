"""The database of the exercises, really run: what a learner may, what the prober sees, a reset, and files that are wrong."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from app.grading.kit import Failed, Fault
from app.grading.kit.probes.sql import MAX_ROWS, Sql
from app.grading.kit.services import ServiceInfo
from app.grading.kit.waiting import Clock
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.images.definition import FILE_IS_WRONG
from app.sandbox.images.store import ImageStore
from app.sandbox.model import ExecResult, SandboxSpec, ServiceSpec, ServiceState
from tests import pods
from tests.contract.test_images import pod
from tests.dialled import PASSWORD, SilentPlatform, way_into

pytestmark = [pytest.mark.engine("embedded"), pytest.mark.anyio]


@dataclass(frozen=True)
class Database:
    """A running database and a port of this machine that leads to it."""

    engine: EmbeddedEngine
    spec: SandboxSpec
    store: ImageStore
    port: int

    async def as_learner(self, act: Callable[[Any], Any], user: str = "learner", **where: Any) -> Any:
        """Do something on a connection of its own, from outside."""

        def work() -> Any:
            options = {"host": "127.0.0.1", "port": self.port, "dbname": "shop", "user": user, "sslmode": "disable"}
            with psycopg.connect(**{**options, "autocommit": True, "connect_timeout": 5, **where}) as connection:
                return act(connection)

        return await asyncio.to_thread(work)

    async def probe(self, act: Callable[[Sql], Any], password: str = PASSWORD) -> Any:
        """Do something with the kit's probe."""

        def work() -> Any:
            info = ServiceInfo("127.0.0.1", "postgres", learner=False)
            sql = Sql(info, "shop", password, SilentPlatform(), Clock(2), port=self.port)
            try:
                return act(sql)
            finally:
                sql.close()

        return await asyncio.to_thread(work)

    async def inside(self, kind: str, stdin: str = "") -> ExecResult:
        """Run the image's `init` or `reset` as `sandboxd` does."""
        argv = getattr(self.store.require("postgres").definition, kind)
        return await self.engine.exec(self.spec.id, "db", argv, stdin=stdin.encode(), timeout=30)


@pytest.fixture(scope="module")
async def images(anyio_backend: str) -> ImageStore:
    store = pods.images()
    await store.prepare(["agent", "postgres", "prober"])
    return store


@pytest.fixture(scope="module")
async def database(embedded: EmbeddedEngine, images: ImageStore) -> AsyncIterator[Database]:
    limits = images.require("postgres").definition.default_limits
    db = ServiceSpec("db", "postgres", given=True, limits=limits)
    spec = pods.sandbox(db, cpus=2.0, memory_mb=512, secrets={"prober_password": PASSWORD})
    await pods.launched(embedded, spec)
    try:
        async with way_into(embedded, spec.id, "db", 5432) as port:
            yield Database(embedded, spec, images, port)
    finally:
        await embedded.stop(spec.id)


@pytest.fixture
async def clean(database: Database) -> Database:
    done = await database.inside("reset")
    assert done.exit_code == 0, done
    return database


# --- the learner -----------------------------------------------------------------------------------------------------


async def test_the_learner_works_in_a_database_of_its_own_without_a_password(clean: Database) -> None:
    def work(connection: Any) -> list[tuple[Any, ...]]:
        connection.execute("CREATE TABLE points (who text PRIMARY KEY, balance bigint)")
        connection.execute("CREATE SCHEMA more")
        connection.execute("CREATE EXTENSION pgcrypto")
        connection.execute("INSERT INTO points VALUES ('алёна', 3)")
        return list(connection.execute("SELECT who, balance FROM points").fetchall())

    assert await clean.as_learner(work) == [("алёна", 3)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_read_file('/given/secrets/prober_password')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "CREATE ROLE other",
        "ALTER ROLE prober PASSWORD 'x'",
        "SET ROLE prober",
        "CREATE DATABASE other",
        "ALTER DATABASE shop CONNECTION LIMIT 0",
        "DROP DATABASE shop",
        "ALTER SYSTEM SET fsync = on",
        "SELECT rolpassword FROM pg_authid",
        "CREATE FUNCTION bad() RETURNS int LANGUAGE c AS 'libc', 'system'",
    ],
)
async def test_what_the_learner_may_not(clean: Database, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse)):
        await clean.as_learner(lambda connection: connection.execute(statement))


@pytest.mark.parametrize(
    ("user", "where"),
    [
        ("postgres", {}),
        ("learner", {"dbname": "postgres"}),
        ("learner", {"dbname": "template1"}),
        ("prober", {"password": "guess"}),
        ("prober", {}),
    ],
)
async def test_nobody_else_gets_in(clean: Database, user: str, where: dict[str, Any]) -> None:
    with pytest.raises(psycopg.OperationalError):
        await clean.as_learner(lambda connection: connection.execute("SELECT 1"), user, **where)


async def test_a_trap_of_the_learners_does_not_gain_the_probers_or_the_servers_rights(clean: Database) -> None:
    # Given a view that reads the server's files when somebody with more rights looks at it
    def lay(connection: Any) -> None:
        connection.execute(
            "CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN "
            "RETURN pg_read_file('/given/secrets/prober_password'); END $$"
        )
        connection.execute("CREATE VIEW points AS SELECT trap() AS balance")

    await clean.as_learner(lay)
    # When the prober looks, it is refused, and that is the learner's failure
    with pytest.raises(Failed, match="permission denied"):
        await clean.probe(lambda sql: sql.value("SELECT balance FROM points"))


# --- the prober ------------------------------------------------------------------------------------------------------


async def test_the_prober_sees_and_changes_what_the_learner_keeps_to_itself(clean: Database) -> None:
    def keep(connection: Any) -> None:
        connection.execute("CREATE TABLE points (who text, balance bigint)")
        connection.execute("ALTER TABLE points ENABLE ROW LEVEL SECURITY")
        connection.execute("REVOKE ALL ON points FROM PUBLIC")
        connection.execute("INSERT INTO points SELECT 'u' || n, n FROM generate_series(1, 3) AS n")

    await clean.as_learner(keep)
    assert await clean.probe(lambda sql: sql.rows("SELECT * FROM points WHERE balance > %s ORDER BY 1", 1)) == [
        ("u2", 2),
        ("u3", 3),
    ]
    assert await clean.probe(lambda sql: sql.one("SELECT balance FROM points WHERE who = %s;", "u1")) == (1,)
    assert await clean.probe(lambda sql: sql.value("SELECT balance FROM points WHERE who = 'nobody'")) is None
    assert await clean.probe(lambda sql: sql.execute("UPDATE points SET balance = 0")) == 3
    assert await clean.probe(lambda sql: sql.tables()) == ["points"]
    await clean.probe(lambda sql: sql.truncate("points"))
    assert await clean.probe(lambda sql: sql.value("SELECT count(*) FROM points")) == 0


async def test_answers_are_bounded_before_they_are_sent(clean: Database) -> None:
    many = f"SELECT n FROM generate_series(1, {MAX_ROWS * 50}) AS n"
    with pytest.raises(Failed, match="1001 rows"):
        await clean.probe(lambda sql: sql.rows(many))
    with pytest.raises(Failed, match="at most 1000 rows and 1 MiB"):
        await clean.probe(lambda sql: sql.rows("SELECT repeat('x', 30000000)"))
    assert len(await clean.probe(lambda sql: sql.rows(f"{many} ORDER BY n DESC LIMIT 1000"))) == 1000


async def test_a_lock_that_the_learner_holds_is_the_learners_failure(clean: Database) -> None:
    def hold(connection: Any) -> None:
        connection.execute("CREATE TABLE points (who text)")
        connection.execute("BEGIN")
        connection.execute("LOCK TABLE points")
        begun = time.monotonic()
        with pytest.raises(Failed, match="an open transaction holds it"):
            Sql(
                ServiceInfo("127.0.0.1", "postgres", learner=False),
                "shop",
                PASSWORD,
                SilentPlatform(),
                Clock(0.2),
                port=clean.port,
            ).rows("SELECT * FROM points")
        assert time.monotonic() - begun < 5

    await clean.as_learner(hold)


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("SELECT * FROM nothing_there", Failed),
        ("SELECT missing FROM pg_class", Failed),
        ("SELEKT", Fault),
    ],
)
async def test_a_schema_that_is_wrong_is_the_learners_and_a_statement_that_is_wrong_is_ours(
    clean: Database, query: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await clean.probe(lambda sql: sql.rows(query))


async def test_a_database_that_cannot_be_reached_is_a_fault(clean: Database) -> None:
    with pytest.raises(Fault, match="password authentication failed"):
        await clean.probe(lambda sql: sql.value("SELECT 1"), password="wrong")


async def test_the_prober_gets_in_when_the_learner_holds_every_connection(clean: Database) -> None:
    def crowd(first: Any) -> int:
        where = {"host": "127.0.0.1", "port": clean.port, "dbname": "shop", "user": "learner", "sslmode": "disable"}
        held = [first]
        with suppress(psycopg.OperationalError):
            while len(held) < 60:
                held.append(psycopg.connect(**where))
        assert len(held) < 60, "there is no limit"
        info = ServiceInfo("127.0.0.1", "postgres", learner=False)
        sql = Sql(info, "shop", PASSWORD, SilentPlatform(), Clock(2), port=clean.port)
        try:
            return sql.sessions()
        finally:
            sql.close()
            for connection in held[1:]:
                connection.close()

    assert await clean.as_learner(crowd) > 20


# --- reset and init --------------------------------------------------------------------------------------------------


async def test_reset_leaves_a_database_as_at_its_start_within_a_second(clean: Database) -> None:
    def leave(connection: Any) -> None:
        connection.execute("CREATE TABLE points (who text)")
        connection.execute("CREATE SCHEMA more")
        connection.execute("ALTER ROLE learner SET statement_timeout = 1")
        connection.execute("ALTER ROLE learner PASSWORD 'mine'")

    await clean.as_learner(leave)
    begun = time.monotonic()
    done = await clean.inside("reset")
    seconds = time.monotonic() - begun
    assert done.exit_code == 0, done
    assert await clean.probe(lambda sql: sql.tables()) == []
    assert await clean.probe(lambda sql: sql.rows("SELECT nspname FROM pg_namespace WHERE nspname = 'more'")) == []
    shown = await clean.as_learner(lambda connection: connection.execute("SHOW statement_timeout").fetchone())
    assert shown == ("0",)
    assert seconds < 1


async def test_a_file_of_the_learners_is_run_whole_as_the_learner(clean: Database) -> None:
    done = await clean.inside("init", "CREATE TABLE points (who text);\n-- ё\nINSERT INTO points VALUES ('x');\n")
    assert done.exit_code == 0, done
    owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'points'"
    assert await clean.probe(lambda sql: sql.value(owner)) == "learner"


async def test_a_file_that_is_wrong_says_where_and_leaves_nothing(clean: Database) -> None:
    done = await clean.inside("init", "CREATE TABLE points (who text);\n\nCREATE TABEL other (x int);\n")
    assert done.exit_code == FILE_IS_WRONG, done
    said = done.stderr.decode()
    assert 'psql:<stdin>:3: ERROR:  syntax error at or near "TABEL"' in said
    assert "LINE 1: CREATE TABEL other" in said
    assert await clean.probe(lambda sql: sql.tables()) == []


@pytest.mark.parametrize(
    "command",
    [r"\! cat /given/secrets/prober_password", r"\i /given/secrets/prober_password", r"\c - postgres", r"\unrestrict x"],
)
async def test_a_file_is_sql_and_no_commands_of_psql(clean: Database, command: str) -> None:
    done = await clean.inside("init", f"SELECT 1;\n{command}\nCREATE TABLE points (who text);\n")
    assert done.exit_code == FILE_IS_WRONG, done
    assert PASSWORD not in (done.stdout + done.stderr).decode()
    assert await clean.probe(lambda sql: sql.tables()) == []


# --- the service -----------------------------------------------------------------------------------------------------


async def test_a_server_that_was_killed_keeps_what_it_had_committed(clean: Database) -> None:
    engine, spec = clean.engine, clean.spec
    await clean.as_learner(lambda connection: connection.execute("CREATE TABLE points AS SELECT 7 AS balance"))
    await engine.kill(spec.id, "db")
    await pods.until_state(engine, spec, "db", ServiceState.CRASHED)
    begun = time.monotonic()
    await engine.start(spec.id, "db")
    await pods.until_state(engine, spec, "db", ServiceState.READY)
    assert time.monotonic() - begun < 5
    assert await clean.probe(lambda sql: sql.value("SELECT balance FROM points")) == 7


async def test_it_does_not_start_without_the_probers_password_or_with_a_name_that_is_not_one(images: ImageStore) -> None:
    image = images.require("postgres")
    done = subprocess.run([*pod(image), *image.definition.command], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 78
    assert "prober_password is missing" in done.stderr


async def test_it_is_ready_soon_and_small(database: Database) -> None:
    spec = pods.sandbox(database.spec.services[0], cpus=2.0, memory_mb=512, secrets={"prober_password": PASSWORD})
    begun = time.monotonic()
    try:
        await pods.launched(database.engine, spec)
        seconds = time.monotonic() - begun
        status = pods.replica(await database.engine.status(spec.id), "db")
        print(f"ready after {seconds:.2f} s, {status.rss_mb:.0f} MiB")
        assert seconds < 10
    finally:
        await database.engine.stop(spec.id)
