"""What a session has prepared, what it waits for, and whether it is in a transaction."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ...decoder import Undecodable
from ...trace import Event
from .statements import Statement, read

MAX_NAMES = 1000  #: prepared statements, and portals
MAX_ASKED = 10_000  #: statements that wait for their completion
_READY = ""  #: stands for the ReadyForQuery that ends a query or answers a Sync


class _Asked(NamedTuple):
    id: str
    at: float


class _Portal:
    def __init__(self, statements: tuple[Statement, ...]) -> None:
        self.statements = statements
        self.id = ""  #: of its run; a run that was suspended goes on under the same id


class Session:
    """One connection after its startup."""

    def __init__(self, connection: int) -> None:
        self._connection = connection
        self._count = 0
        self._prepared: dict[bytes, tuple[Statement, ...]] = {}
        self._portals: dict[bytes, _Portal] = {}
        self._asked: deque[_Asked] = deque()
        self.ready_due = 0  #: ReadyForQuery messages that will come
        self._inside = self._was_inside = False
        self._uncommitted: Event | None = None  #: the last writing statement that the next Sync commits

    def prepare(self, name: bytes, text: str) -> None:
        """A text under a name; the empty name is used again and again."""
        _bounded(self._prepared, name)
        self._prepared[name] = read(text)

    def bind(self, portal: bytes, name: bytes) -> None:
        """A prepared statement with its values."""
        _bounded(self._portals, portal)
        self._portals[portal] = _Portal(self._prepared.get(name, ()))

    def close(self, what: bytes, name: bytes) -> None:
        """Forget a prepared statement or a portal."""
        (self._prepared if what == b"S" else self._portals).pop(name, None)

    def execute(self, name: bytes, size: int, now: float) -> list[Event]:
        """Run a portal; its event, unless it goes on after a pause."""
        portal = self._portals.get(name)
        if portal is None:
            return []
        if portal.id:
            self._ask(portal.id, now)
            return []
        if not portal.statements:  # an empty text is answered too
            portal.id = self._name()
            self._ask(portal.id, now)
            return []
        events = [self._run(statement, size, now) for statement in portal.statements]
        portal.id = events[-1]["id"]
        return events

    def query(self, text: str, size: int, now: float) -> list[Event]:
        """A simple query: all its statements, and the end of what they did outside a transaction."""
        events = [self._run(statement, size, now) for statement in read(text)]
        if not events:
            self._ask(self._name(), now)
        return events + self.sync(now)

    def sync(self, now: float) -> list[Event]:
        """The server will say that it is ready, after committing what is outside a transaction."""
        self._ask(_READY, now)
        self.ready_due += 1
        uncommitted, self._uncommitted = self._uncommitted, None
        if not self._inside:
            self._portals.clear()
        return [{**uncommitted, "kind": "commit", "implicit": True}] if uncommitted else []

    def completed(self, now: float) -> Event:
        """The id and latency of the statement that the server has dealt with."""
        if not self._asked or not self._asked[0].id:
            return {}
        asked = self._asked.popleft()
        return {"id": asked.id, "latency": round(now - asked.at, 6)}

    def ready(self, status: bytes) -> None:
        """ReadyForQuery: what was skipped after an error is not answered any more."""
        while self._asked and self._asked.popleft().id:
            pass
        self.ready_due = max(0, self.ready_due - 1)
        self._was_inside = status != b"I"
        if not self.ready_due:
            self._inside = self._was_inside

    def lost(self, ids: set[str]) -> None:
        """These statements never reached the server, nor did what announced the end of their query."""
        kept: deque[_Asked] = deque()
        dropped = False
        for asked in self._asked:
            if asked.id in ids:
                dropped = True
            elif dropped and not asked.id:
                dropped = False
                self.ready_due -= 1
            else:
                kept.append(asked)
        self._asked, self._inside = kept, self._was_inside

    def _run(self, statement: Statement, size: int, now: float) -> Event:
        event: Event = {"kind": statement.kind, "id": self._name(), "size": size, "statement": statement.text}
        if statement.cut:
            event["cut"] = True
        self._ask(event["id"], now)
        if statement.kind == "begin":
            self._inside, self._uncommitted = True, None
        elif statement.kind in ("commit", "rollback"):
            self._inside = False
        elif statement.writes and not self._inside:
            self._uncommitted = dict(event)
        if statement.kind == "commit":
            event["implicit"] = False
        return event

    def _name(self) -> str:
        self._count += 1
        return f"{self._connection}.{self._count}"

    def _ask(self, name: str, now: float) -> None:
        if len(self._asked) >= MAX_ASKED:
            raise Undecodable(f"more than {MAX_ASKED} statements wait for an answer")
        self._asked.append(_Asked(name, now))


def _bounded(names: dict[bytes, object] | dict[bytes, tuple[Statement, ...]] | dict[bytes, _Portal], name: bytes) -> None:
    if len(names) >= MAX_NAMES and name not in names:
        raise Undecodable(f"more than {MAX_NAMES} names")
