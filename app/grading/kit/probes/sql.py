"""SQL as `prober` in a sandbox's PostgreSQL: what is really in the database, bounded in time, rows and size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from ..pipe import Pipe
from ..services import ServiceInfo, blame
from ..waiting import Clock
from ..words import Failed, Text, brief

PORT = 5432
MAX_ROWS = 1000
MAX_BYTES = 1 << 20  #: of all rows of one answer, as text
_TIMEOUT = 3.0  #: seconds of one statement on a quiet machine

#: Undefined table, column, function, schema, database; wrong type; no rights: the learner's schema is not what the task says.
_SCHEMA = frozenset({"42P01", "42703", "42883", "3F000", "3D000", "42804", "42501", "22P02"})


class Sql:
    """One connection to one database, opened when it is first used and closed with the check.

    The prober may read and write all data of the learner's database and end sessions, and is no superuser: functions and
    views that a learner wrote run with the rights of whoever calls them.

    Raises:
        Failed: a table or column is missing, a statement takes too long (the learner's transaction holds a lock), or an
            answer is too large.
        Fault: the database does not answer, or the statement is wrong in itself.
    """

    def __init__(self, info: ServiceInfo, database: str, password: str, pipe: Pipe, clock: Clock, *, port: int = PORT) -> None:
        self._info, self._pipe, self._clock = info, pipe, clock
        self._limit = clock.limit(_TIMEOUT)
        self._where: dict[str, Any] = {
            "host": info.name,
            "port": port,
            "dbname": database,
            "user": "prober",
            "password": password,
            "sslmode": "disable",
            "gssencmode": "disable",
            "connect_timeout": max(2, round(clock.limit(3))),
            "options": f"-c statement_timeout={round(self._limit * 1000)} -c lock_timeout={round(self._limit * 1000)}",
        }
        self._connection: Any = None

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """All rows of a SELECT, at most 1,000 and 1 MiB; `values` fill its `%s`.

        Rows and bytes are counted in the database first, so that nothing oversized ever reaches the prober.
        """
        with self._guarded(query) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            counted = f"SELECT count(*), coalesce(sum(octet_length(x::text)), 0) FROM ({_one(query)} LIMIT {MAX_ROWS + 1}) AS x"  # noqa: S608 - of the check's own query
            number, size = connection.execute(counted, values or None).fetchone()
            if number > MAX_ROWS or size > MAX_BYTES:
                raise Failed(
                    expected=Text(f"не больше {MAX_ROWS} строк и 1 МиБ", f"at most {MAX_ROWS} rows and 1 MiB")
                    + f": {_shown(query)}",
                    seen=Text(f"строк {number}, байт {size}", f"{number} rows, {size} bytes"),
                )
            return list(connection.execute(query, values or None).fetchall())

    def one(self, query: str, *values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        found = self.rows(query, *values)
        return found[0] if found else None

    def value(self, query: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        row = self.one(query, *values)
        return row[0] if row else None

    def execute(self, statement: str, *values: Any) -> int:
        """Run a statement that changes something; return how many rows it touched."""
        with self._guarded(statement) as connection:
            return int(connection.execute(statement, values or None).rowcount)

    def tables(self) -> list[str]:
        """Names of the tables that are there, those of schema `public` without its name."""
        found = self.rows(
            "SELECT CASE schemaname WHEN 'public' THEN '' ELSE schemaname || '.' END || tablename FROM pg_catalog.pg_tables "
            "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
        )
        return [name for (name,) in found]

    def sessions(self) -> int:
        """How many connections the learner's services hold to the database."""
        found = self.value("SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = 'learner'")
        return int(found)

    def truncate(self, *tables: str) -> None:
        """Empty these tables; `Failed` when one is missing."""
        names = ", ".join(f'"{name}"' for name in tables)
        self.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")

    def close(self) -> None:
        """Close the connection if it was opened."""
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):  # it is gone either way, and the check has its result
                self._connection.close()
        self._connection = None

    @contextmanager
    def _guarded(self, query: str) -> Iterator[Any]:
        """The connection; what goes wrong becomes the learner's failure or a fault of ours."""
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(**self._where, autocommit=True, prepare_threshold=None)
            yield self._connection
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable) as error:
            raise Failed(
                expected=Text(f"ответ базы за {self._limit:.0f} с: ", f"the database answers within {self._limit:.0f} s: ")
                + _shown(query),
                seen=Text(
                    "запрос не дождался: его держит открытая транзакция или он идёт слишком долго",
                    "the query gave up: an open transaction holds it, or it takes too long",
                ),
            ) from error
        except psycopg.Error as error:
            said = Text.same(_first_line(error))
            if error.sqlstate in _SCHEMA:
                expected = Text("схема базы такая, как в задании", "the database's schema is as the task says")
                raise Failed(expected=expected, seen=said) from error
            self.close()
            expected = Text(
                f"{self._info.name} отвечает на запрос {_shown(query)}", f"{self._info.name} answers {_shown(query)}"
            )
            raise blame(self._info, self._pipe, expected, said) from error


def _one(query: str) -> str:
    """A SELECT without the semicolon at its end, in brackets of its own so that its own LIMIT stays."""
    return f"SELECT * FROM ({query.strip().rstrip(';')}) AS asked"  # noqa: S608 - the check's own query


def _shown(query: str) -> str:
    return brief(" ".join(query.split()), 80)


def _first_line(error: BaseException) -> str:
    lines: Sequence[str] = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:300]
