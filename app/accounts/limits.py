"""Limits that hold over all processes: counters per window in one table."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from app.accounts.model import RateBucket
from app.db import Database, now, table
from app.errors import TooMany

View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` times per `seconds`, counted per key.

    Attributes:
        name: prefix of the keys; the same name shares the counters.
        stride: how many hits a process may count by itself before it tells the table; the limit may be exceeded by
            `stride` per process, in return most hits cost no write.
    """

    name: str
    limit: int
    seconds: int
    stride: int = 1


SIGN_IN = Rate("sign-in", 200, 600)  #: by address; a class behind one address signs in at once
SIGN_UP = Rate("sign-up", 60, 3600)  #: by address
PASSWORD = Rate("password", 10, 600)  #: by person: tries of the present password
SUBMIT = Rate("submit", 30, 600, stride=3)  #: by person: submissions and runs
LAUNCH = Rate("launch", 30, 600)  #: by person: sandboxes
TOKENS = Rate("token", 600, 60, stride=10)  #: by API token
WRITES = Rate("writes", 300, 60, stride=5)  #: by person or address: every other change
READS = Rate("reads", 3000, 60, stride=100)  #: by person or address


def rated(rate: Rate) -> Callable[[View], View]:
    """Mark a view function with its rate class; without a mark it counts as `WRITES` or `READS` by its method."""

    def mark(view: View) -> View:
        view.rate = rate  # type: ignore[attr-defined]
        return view

    return mark


MEMORY = timedelta(days=1)  #: how long counters are kept after their window


class Limits:
    """Counts hits; keys are hashed, so that no address or name is stored."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int], tuple[int, int]] = {}  #: (key, window) -> (total, untold)
        row = insert(database)
        hits = table(RateBucket).c.hits
        added = row.on_conflict_do_update(index_elements=["key", "window"], set_={"hits": hits + row.excluded.hits})
        self._count = added.returning(hits)

    def take(self, rate: Rate, *who: str) -> None:
        """Count one hit.

        Raises:
            TooMany: the window is used up; `retry_after` is its rest in seconds.
        """
        at = now().timestamp()
        window = int(at // rate.seconds)
        end = (window + 1) * rate.seconds
        count = self._hits(rate, bucket(rate.name, *who), window, end)
        if count > rate.limit:
            raise TooMany(retry_after=math.ceil(end - at))

    def sweep(self) -> int:
        """Drop counters that no longer matter; returns how many."""
        with self._database.transaction() as session:
            old = delete(RateBucket).where(RateBucket.expires_at < now() - MEMORY)
            return len(session.scalars(old.returning(RateBucket.key)).all())

    def _hits(self, rate: Rate, key: str, window: int, end: int) -> int:
        """Hits of the window as far as this process knows; tells the table once per stride, and not at all when over."""
        with self._lock:
            if len(self._known) > 10_000:
                self._known.clear()
            total, untold = self._known.get((key, window), (0, 0))
            untold += 1
            self._known[key, window] = (total, untold)
            if untold < rate.stride or total > rate.limit:
                return total + untold
            self._known[key, window] = (total, 0)
        expires_at = datetime.fromtimestamp(end, UTC)
        counted = self._database.jot(self._count, key=key, window=window, hits=untold, expires_at=expires_at)
        total = int(counted[0].hits)
        with self._lock:
            self._known[key, window] = (total, self._known.get((key, window), (0, 0))[1])
        return total


def insert(database: Database, **values: Any) -> Any:
    """An INSERT of a counter that knows ON CONFLICT, in the database's dialect."""
    statement = (sqlite if database.is_sqlite else postgresql).insert(table(RateBucket))
    return statement.values(**values) if values else statement


def bucket(name: str, *who: str) -> str:
    """Key of a counter."""
    return f"{name}:{hashlib.sha256('|'.join(who).encode()).hexdigest()[:40]}"
