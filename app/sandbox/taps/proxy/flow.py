"""One direction of a connection: bytes pass first and are decoded after, unless a rule could match them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from .decoder import Direction, Piece
from .end import End
from .trace import Event
from .units import Units
from .waiting import Item, Queue

if TYPE_CHECKING:
    from .armed import Armed
    from .connection import Connection


class Flow:
    """Bytes from `source` to `sink`.

    Args:
        connection: whose direction it is; knows the decoder and the rules.
    """

    def __init__(self, connection: Connection, direction: Direction, source: End, sink: End) -> None:
        self.direction, self._connection, self.source, self.sink = direction, connection, source, sink
        source.flow = sink.arriving = self
        self._queue = Queue(connection.desk.budget)
        self._timer: asyncio.TimerHandle | None = None
        self._pressed = False
        self._units = Units(self, connection.desk.budget)
        self._frames: Sequence[Armed] = ()  #: live rules that need decoding first
        self._raw: Sequence[Armed] = ()  #: live rules for all bytes
        self._version = -1
        self._swallow: set[int] = set()
        self.finished = ""  #: how the source ended

    def data(self, data: bytes) -> None:
        """Bytes have come from the source."""
        connection = self._connection
        if connection.holed:
            connection.swallowed(self, len(data))
            return
        if self._version != connection.rules.version:
            self._refresh()
        now = time.monotonic()
        if self._raw and (armed := connection.rules.first_raw(self._raw)):
            self._units.flush()
            self._act_on_bytes(armed, data, now)
        elif self._frames or self._swallow:
            self._units.data(data, now)
        else:
            self.out(data)
            self._units.passed(data, now)

    def out(self, data: bytes) -> None:
        """Pass bytes on, behind what waits."""
        if self._queue or self.sink.transport is None:
            self.put(Item(data))
        else:
            self.sink.write(data)

    def put(self, item: Item) -> None:
        """Let something wait."""
        if self.sink.gone:
            return
        self._queue.put(item)
        self.pump()

    def pump(self) -> None:
        """Write what may be written, and come back when more may."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.sink.transport is None:
            return
        while (item := self._queue.take(time.monotonic())) is not None:
            if isinstance(item, float):
                loop = asyncio.get_running_loop()
                self._timer = loop.call_at(loop.time() + max(0.0, item - time.monotonic()), self.pump)
                break
            if item.final:
                self._end(item.final)
            else:
                self.sink.write(item.data)
        self.press()

    def press(self) -> None:
        """Read the source only while the sink keeps up and not too much waits."""
        pressed = self.sink.full or self._queue.full
        if pressed != self._pressed:
            self._pressed = pressed
            self.source.read(not pressed)

    def finish(self, how: Literal["eof", "close", "reset"]) -> None:
        """The source ended: say so to the sink after everything that still waits."""
        if self.finished == how or self.finished in ("close", "reset"):
            return
        first, self.finished = not self.finished, how
        connection = self._connection
        if connection.holed:
            return
        if first:
            self._units.end(connection.rest(self.direction, True))
            if connection.over or connection.holed:
                return
        if self._queue or self.sink.transport is None:
            self.put(Item(final=how))
        else:
            self._end(how)

    def _end(self, how: str) -> None:
        if how == "reset":
            self.sink.reset()
        elif how == "close":
            self.sink.close()
        else:
            self.sink.finish()
        self._connection.half_closed()

    @property
    def stopped(self) -> bool:
        """Whether nothing will pass any more."""
        return self._connection.over or bool(self._connection.holed)

    @property
    def drained(self) -> bool:
        """Whether the source ended and nothing waits any more."""
        return bool(self.finished) and not self._queue

    def clear(self) -> None:
        """Forget what waits."""
        for item in self._queue:
            if item.hold:
                self._connection.holds.forget(item.hold)
        self._queue.clear()
        self._units.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def swallow(self, key: int) -> None:
        """Pieces with this key answer the tap itself: they do not pass."""
        self._swallow.add(key)

    def swallows(self, key: int) -> bool:
        """Whether pieces with this key do not pass."""
        return key in self._swallow

    def settle(self, rule: str) -> None:
        """A rule is gone: what it delays passes now (holds are ended by whoever keeps them)."""
        for item in self._queue:
            if item.rule == rule and not item.hold:
                item.due = item.rate = 0.0
        self.pump()

    def remove(self, item: Item) -> None:
        """Take out something that waits."""
        self._queue.remove(item)
        self.pump()

    def _refresh(self) -> None:
        rules = self._connection.rules
        self._version = rules.version
        live = rules.live(self._connection.client_name, self.direction)
        self._raw = [armed for armed in live if not armed.rule.when]
        self._frames = [armed for armed in live if armed.rule.when]
        if not self._frames and not self._swallow:
            self._units.flush()

    def match(self, events: list[Event]) -> tuple[Armed, Event] | None:
        """The rule that treats a unit with these events, and the event that it matched."""
        return self._connection.rules.first(self._frames, events)

    def tell(self, events: list[Event], **more: Any) -> None:
        """Trace events of this direction."""
        for event in events:
            self._connection.tell(event, self.direction, **more)

    def decode(self, data: bytes, now: float) -> list[Piece] | None:
        """Pieces of the stream; None when nobody understands it."""
        return self._connection.decode(self.direction, data, now)

    def understood(self) -> bool:
        """Whether the decoder has not given up; that it has is told now."""
        return self._connection.say_undecoded(self.direction)

    def treat(self, armed: Armed, event: Event, events: list[Event], unit: bytes, whole: bool) -> bool:
        """Let a rule act on a unit; whether the unit passes or will."""
        return self._connection.act(self, armed, event, events, unit, whole)

    def _act_on_bytes(self, armed: Armed, data: bytes, now: float) -> None:
        events: list[Event] = []
        for piece in self.decode(data, now) or ():
            events += piece.events or ()
            self._units.follow(piece, len(data))
        self._connection.say_undecoded(self.direction)
        event: Event = {"kind": "bytes", "size": len(data)}
        self._connection.act(self, armed, event, events, data, True)
