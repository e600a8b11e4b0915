"""A lock-out that grows: guessing a password becomes slow, whoever guesses and from wherever."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, delete, literal

from app.accounts.limits import MEMORY, bucket, insert
from app.accounts.model import RateBucket
from app.db import Database, UTCDateTime, now
from app.errors import TooMany

_WINDOW = -1  #: the "window" of these rows, which have none; `expires_at` is the end of the wait


class Lockout:
    """Makes guessing slow: after `free` failed tries each further one costs a longer wait, up to a quarter of an hour."""

    STEPS = ((2, 15), (4, 60), (6, 300))  #: tries beyond the free ones -> seconds to wait; then LONGEST
    LONGEST = 900

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, key: tuple[str, ...], free: int) -> None:
        """Count a try as failed until `forgive` is called. A try that must wait is refused and not counted.

        Raises:
            TooMany: too early; `retry_after` is the rest in seconds.
        """
        at = now()
        steps = [(0, 0), *self.STEPS]
        pauses = [(RateBucket.hits < free + more, _moment(at, pause)) for more, pause in steps]
        statement = insert(
            self._database, key=bucket("lock", *key), window=_WINDOW, hits=1, expires_at=at
        ).on_conflict_do_update(
            index_elements=["key", "window"],
            set_={
                "hits": case((RateBucket.expires_at < at - MEMORY, 1), else_=RateBucket.hits + 1),
                "expires_at": case(*pauses, else_=_moment(at, self.LONGEST)),
            },
            where=RateBucket.expires_at <= at,
        ).returning(RateBucket.hits)  # fmt: skip
        with self._database.transaction() as session:
            if session.execute(statement).scalar_one_or_none() is not None:
                return
            row = session.get(RateBucket, (bucket("lock", *key), _WINDOW))
            rest = (row.expires_at - at).total_seconds() if row else 0.0
        raise TooMany("Too many wrong passwords for this name.", code="locked-out", retry_after=max(1, math.ceil(rest)))

    def forgive(self, *keys: tuple[str, ...]) -> None:
        """Forget the tries of these keys: the password was right."""
        with self._database.transaction() as session:
            hashed = [bucket("lock", *key) for key in keys]
            session.execute(delete(RateBucket).where(RateBucket.key.in_(hashed), RateBucket.window == _WINDOW))


def _moment(at: datetime, seconds: int) -> ColumnElement[datetime]:
    return literal(at + timedelta(seconds=seconds), UTCDateTime())
