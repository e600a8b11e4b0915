"""What all connections of a tap share, and the questions that `sandboxd` asks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from .armed import Armed, Rules, covers
from .connection import Connection
from .holds import Holds
from .peers import Peers
from .presence import Presence
from .rules import THEN, RuleRefused, read_rule
from .settings import Settings, belongs
from .trace import Trace
from .waiting import Budget

CONNECTING = 2.0  #: seconds that a sync waits for connections that are being made
_ROUNDS = 5  #: of the loop, in which a client that has come is accepted, or what has come is read


class Refused(Exception):
    """A question that cannot be answered; the text says why."""


class Desk:
    """One for each tap.

    Args:
        write: takes a line for `sandboxd` that is encoded already.
        send: takes a frame.
        room: whether `sandboxd` reads fast enough.
    """

    def __init__(
        self,
        settings: Settings,
        write: Callable[[bytes], None],
        send: Callable[[dict[str, Any]], None],
        room: Callable[[], bool],
    ) -> None:
        self.settings = settings
        self.trace = Trace(write, room)
        self._send = send
        self.budget = Budget()
        self.rules, self.holds, self.peers = Rules(), Holds(self.send), Peers()
        self.presence = Presence()
        self.connections: dict[int, Connection] = {}
        self._numbers = itertools.count(1)
        self._syncs: set[asyncio.Task[None]] = set()

    def send(self, frame: dict[str, Any]) -> None:
        """Tell a frame, after the events before it."""
        self.trace.flush()
        self._send(frame)

    def number(self) -> int:
        """A number that no other connection has."""
        return next(self._numbers)

    def connect(self, replica: str, port: int) -> Connection:
        """A new connection of a client that may come."""
        number = self.number()
        connection = self.connections[number] = Connection(self, number, replica, port, self.settings.listen[port])
        return connection

    def refused(self, replica: str, address: str, port: int, why: str) -> None:
        """Trace somebody who may not come."""
        event = {
            "kind": "refused",
            "size": 0,
            "conn": self.number(),
            "from": replica or address,
            "dir": "up",
            "port": port,
        }
        more = {"to": self.settings.upstream, "protocol": self.settings.listen[port], "why": why}
        self.trace.add({"at": round(asyncio.get_running_loop().time(), 6), **event, **more})

    def forget(self, connection: Connection) -> None:
        """A connection is over."""
        self.connections.pop(connection.number, None)

    def open_hole(self, armed: Armed) -> None:
        """From now on nothing of this rule's clients passes."""
        self.rules.holes[armed.rule.id] = armed
        for connection in self.connections.values():
            if covers(armed, connection.client_name) and not connection.holed:
                connection.hole(armed.rule.id)

    def ask(self, question: dict[str, Any]) -> None:
        """Answer one question of `sandboxd`, now or (sync) soon."""
        number = question.get("n")
        try:
            op = question.get("op")
            if op == "sync":
                task = asyncio.get_running_loop().create_task(self._sync(number))
                self._syncs.add(task)
                task.add_done_callback(self._syncs.discard)
                return
            answer = self._operations.get(str(op))
            if answer is None:
                raise Refused(f"there is no `{op}`: {', '.join([*self._operations, 'sync'])}")
            value = answer(self, {key: value for key, value in question.items() if key not in ("op", "n", "type")})
        except (Refused, RuleRefused) as refused:
            self.send({"type": "reply", "n": number, "ok": False, "error": str(refused)})
        else:
            self.send({"type": "reply", "n": number, "ok": True, "value": value})

    async def _sync(self, number: Any) -> None:
        """Answer after what has reached the sockets was read and told.

        Connections that are being made have nobody yet who reads them: they are waited for.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECTING
        await _rounds()
        while any(connection.begins for connection in self.connections.values()) and loop.time() < deadline:
            await asyncio.sleep(0.001)
        await _rounds()
        for connection in self.connections.values():
            for flow in (connection.up, connection.down):
                flow.tell(connection.rest(flow.direction, False))
        self.send({"type": "reply", "n": number, "ok": True, "value": None})

    def _peers(self, given: dict[str, Any]) -> None:
        peers = given.get("peers")
        if not isinstance(peers, dict) or not all(isinstance(name, str) for name in peers.values()):
            raise Refused("`peers` must be an object: address -> replica")
        present = given.get("present", True)
        if not isinstance(present, bool):
            raise Refused("`present` must be true or false")
        self.presence.tell(present)
        self.peers.learn(peers)

    def _arm(self, given: dict[str, Any]) -> str:
        rule = read_rule(given.get("rule"), [*self.settings.listen.values()])
        if rule.id in self.rules:
            raise Refused(f"a rule {rule.id!r} is armed already: disarm it first")
        armed = self.rules.arm(rule)
        if rule.do == "blackhole" and not rule.when and rule.nth == 1:
            self.open_hole(armed)
        return rule.id

    def _disarm(self, given: dict[str, Any]) -> list[str]:
        rule = given.get("rule", "")
        if not isinstance(rule, str) or (rule and rule not in self.rules):
            raise Refused(f"no rule {rule!r} is armed")
        gone = self.rules.disarm(rule)
        self.holds.end_all(gone)
        for connection in [*self.connections.values()]:
            if connection.holed in gone:
                connection.reset("rule")
                continue
            for name in gone:
                connection.up.settle(name)
                connection.down.settle(name)
        return gone

    def _release(self, given: dict[str, Any]) -> None:
        hold, action = given.get("hold"), given.get("action")
        if action not in THEN or not isinstance(action, str):
            raise Refused(f"`action` must be one of {', '.join(THEN)}")
        if not isinstance(hold, int) or not self.holds.end(hold, action):
            raise Refused(f"there is no hold {hold!r} (any more)")

    def _cut(self, given: dict[str, Any]) -> int:
        client = given.get("from", "")
        if not isinstance(client, str):
            raise Refused("`from` must be a service, a replica or empty")
        found = [one for one in self.connections.values() if not client or belongs(one.client_name, client)]
        for connection in found:
            connection.reset("rule")
        return len(found)

    _operations: ClassVar[dict[str, Callable[[Desk, dict[str, Any]], Any]]] = {
        "peers": _peers, "arm": _arm, "disarm": _disarm, "release": _release, "cut": _cut,
    }  # fmt: skip


async def _rounds() -> None:
    """Let the loop look at its sockets, and everybody react, a few times."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
