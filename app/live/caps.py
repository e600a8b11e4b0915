"""How many streams there may be at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import TooMany
from app.sandbox.grants import Grant, Kind

TERMINALS_EACH = 4
STREAMS_EACH = 20
STREAMS_IN_ALL = 5000


class Caps:
    """Counts open streams by user."""

    def __init__(self) -> None:
        self._streams: Counter[str] = Counter()
        self._terminals: Counter[str] = Counter()

    @contextmanager
    def taken(self, grant: Grant) -> Iterator[None]:
        """Hold a place for one stream.

        Raises:
            TooMany: the user, or all together, have as many as they may.
        """
        terminal = grant.kind is Kind.TERMINAL
        if (
            self._streams[grant.user] >= STREAMS_EACH
            or (terminal and self._terminals[grant.user] >= TERMINALS_EACH)
            or self._streams.total() >= STREAMS_IN_ALL
        ):
            raise TooMany("Too many streams are open; close a tab.")
        self._streams[grant.user] += 1
        self._terminals[grant.user] += terminal
        try:
            yield
        finally:
            self._streams[grant.user] -= 1
            self._terminals[grant.user] -= terminal
            if not self._streams[grant.user]:
                del self._streams[grant.user], self._terminals[grant.user]
