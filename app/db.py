"""The database below the web: engine, sessions, the UTC type and `transaction()`.

Reads run in autocommit; every write runs in `transaction()`, which on SQLite begins IMMEDIATE, so that
read-then-write never meets "database is locked" on an upgrade.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from sqlalchemy import Connection, DateTime, Dialect, Engine, Enum, Executable, MetaData, Table, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from app.errors import Unavailable

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Parent of every model; names all constraints so that migrations can change them; stores enums by their words."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        StrEnum: Enum(StrEnum, native_enum=False, length=16, values_callable=lambda words: [word.value for word in words]),
    }


def table(model: type[Base]) -> Table:
    """The table of a model, for statements without entities."""
    return cast(Table, model.__table__)


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes in and out, on SQLite too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime; use app.db.now()")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """The server's UTC time, for facts; durations use the monotonic clock."""
    return datetime.now(UTC)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id() -> str:
    """An opaque, unguessable id: 20 lower-case characters, 100 random bits."""
    bits = secrets.randbits(100)
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 100, 5))


class Database:
    """One engine and its two ways in.

    Args:
        engine: made by `make_engine`; reads use it as it is (autocommit), writes a transactional view of its pool.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer, self._light_writer = writer(engine), writer(engine, durable=False)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; each statement sees the newest committed state.

        Raises:
            Unavailable: the database does not answer.
        """
        with _explained(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Session]:
        """A writing transaction: committed at the end of the block, rolled back on any exception. Never nest, never call out.

        Args:
            durable: False for counters and last-seen times only: a power cut, never a crash, may lose the newest of them,
                and nobody waits for the disk.

        Raises:
            Unavailable: the database does not answer or is locked for too long.
        """
        writer = self._writer if durable else self._light_writer
        with _explained(), Session(writer, expire_on_commit=False) as session, session.begin():
            yield session

    def fetch(self, statement: Executable, **parameters: Any) -> Sequence[Any]:
        """All rows of one reading statement. For what every request asks: it costs a fraction of a session.

        Args:
            statement: without ORM entities and made once, so that nothing is built or compiled per call.

        Raises:
            Unavailable: the database does not answer.
        """
        with _explained(), self.engine.connect() as connection:
            return connection.execute(statement, parameters).all()

    def jot(self, statement: Executable, **parameters: Any) -> Sequence[Any]:
        """One writing statement in a transaction that is not durable (see `transaction`); what it returns, if anything.

        Raises:
            Unavailable: the database does not answer or is locked for too long.
        """
        with _explained(), self._light_writer.begin() as connection:
            result = connection.execute(statement, parameters)
            return result.all() if result.returns_rows else ()

    def dispose(self) -> None:
        """Close all connections (after a fork, at shutdown)."""
        self.engine.dispose()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeout) as error:
        raise Unavailable("The database does not answer.", code="database-unavailable") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("The database connection was lost.", code="database-unavailable") from error
        raise


def engine_options(url: str) -> dict[str, Any]:
    """Keyword arguments for `create_engine`, shared with Flask-SQLAlchemy."""
    if make_url(url).get_backend_name() == "sqlite":
        return {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True, "connect_args": {"timeout": 5.0}}
    return {
        "isolation_level": "AUTOCOMMIT",
        "skip_autocommit_rollback": True,
        "pool_pre_ping": True,
        "pool_timeout": 2,
        "connect_args": {"connect_timeout": 2, "options": "-c statement_timeout=5000 -c lock_timeout=2000 -c timezone=utc"},
    }


def make_engine(url: str) -> Engine:
    """Engine for a SQLAlchemy URL, with this module's rules installed."""
    database = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, **engine_options(url))
    install_rules(engine)
    return engine


def install_rules(engine: Engine) -> None:
    """WAL, FULL and foreign keys on each SQLite connection."""
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000", "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


def writer(engine: Engine, *, durable: bool = True) -> Engine:
    """The engine's pool for writing transactions. Rules listen here alone, so that reads pay for none of them."""
    if engine.dialect.name == "sqlite":
        writing = engine.execution_options(isolation_level="SERIALIZABLE")
        # the level is set for each transaction, since readers and writers share the connections
        event.listen(writing, "begin", partial(_begin_immediate, f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}"))
    else:
        writing = engine.execution_options(isolation_level="READ COMMITTED")
        if not durable:
            event.listen(writing, "begin", _forgo_disk)
    return writing


def _begin_immediate(pragma: str, connection: Connection) -> None:
    raw: Any = connection.connection.driver_connection
    try:  # through the driver: SQLAlchemy's way costs more than both statements
        raw.execute(pragma)
        raw.execute("BEGIN IMMEDIATE")
    except raw.OperationalError as error:
        raise OperationalError("BEGIN IMMEDIATE", {}, error) from error


def _forgo_disk(connection: Connection) -> None:
    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
