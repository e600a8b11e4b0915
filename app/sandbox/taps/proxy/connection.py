"""One connection of a client to the upstream: two ends, two flows, one decoder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from .actions import act
from .armed import Armed
from .decoder import Direction, Piece, Undecodable
from .decoders import DECODERS
from .end import End
from .flow import Flow
from .trace import Event

if TYPE_CHECKING:
    from .desk import Desk


class Connection:
    """From `open` to `close`.

    Args:
        desk: what all connections of the tap share.
        client_name: the replica that speaks.
        port: at which it came.
    """

    def __init__(self, desk: Desk, number: int, client_name: str, port: int, protocol: str) -> None:
        self.desk, self.number, self.client_name, self.port, self.protocol = desk, number, client_name, port, protocol
        self.rules, self.holds = desk.rules, desk.holds
        self.client, self.upstream = End(self._lost), End(self._lost)
        self.up = Flow(self, "up", self.client, self.upstream)
        self.down = Flow(self, "down", self.upstream, self.client)
        self.decoder = DECODERS[protocol](number)
        self._decodes, self._why = True, ""
        self.holed = ""  #: the rule whose black hole it is in
        self.over = False
        self._by = ""
        self.tell({"kind": "open", "size": 0}, "up", port=port)

    @property
    def begins(self) -> bool:
        """Whether its client's socket is not read yet."""
        return self.client.transport is None

    def tell(self, event: Event, direction: Direction, **more: Any) -> None:
        """Complete an event and trace it."""
        self.desk.trace.add(self._complete(event, direction, more))

    def fired(self, flow: Flow, armed: Armed, event: Event, action: str) -> None:
        """Tell that a rule has acted."""
        event = self._complete(event, flow.direction, {"rule": armed.rule.id, "action": action})
        self.desk.send({"type": "fired", "rule": armed.rule.id, "count": armed.count, "event": event})

    def _complete(self, event: Event, direction: Direction, more: dict[str, Any]) -> Event:
        event.setdefault("at", round(time.monotonic(), 6))
        event["conn"] = self.number
        event["from"] = self.client_name
        event["to"] = self.desk.settings.upstream
        event["dir"] = direction
        event["protocol"] = self.protocol
        event.update(more)
        return event

    def decode(self, direction: Direction, data: bytes, now: float) -> list[Piece] | None:
        """Read along, up to the first thing that the decoder does not understand; None after it."""
        if not self._decodes:
            return None
        pieces: list[Piece] = []
        try:
            self.decoder.feed(direction, data, now, pieces)
        except Undecodable as error:
            self._decodes, self._why = False, str(error)[:200]
        except Exception as error:  # noqa: BLE001 - a fault of a decoder costs the trace of a connection, never the connection
            self._decodes, self._why = False, f"{type(error).__name__} in the decoder"
        # When it came and not when it is told: who has received it may have answered already, through another tap.
        at = round(now, 6)
        for piece in pieces:
            for event in piece.events or ():
                event["at"] = at
        return pieces

    def say_undecoded(self, direction: Direction) -> bool:
        """Whether the decoder still reads along; once, after the events before, that it has given up."""
        if self._why:
            why, self._why = self._why, ""
            self.tell({"kind": "undecoded", "size": 0}, direction, why=why)
        return self._decodes

    def rest(self, direction: Direction, ended: bool) -> list[Event]:
        """What the decoder kept back."""
        return self.decoder.rest(direction, time.monotonic(), ended) if self._decodes else []

    def lost(self, events: list[Event]) -> None:
        """A rule took these out of the stream."""
        if self._decodes:
            self.decoder.lost(events)

    def act(self, flow: Flow, armed: Armed, event: Event, events: list[Event], unit: bytes, whole: bool) -> bool:
        """Let a rule treat a unit; whether it passes."""
        return act(self, flow, armed, event, events, unit, whole)

    def hole(self, rule: str) -> None:
        """From now on nothing passes; both sockets stay open."""
        self.holed = rule
        for flow in (self.up, self.down):
            flow.clear()
            flow.press()

    def swallowed(self, flow: Flow, size: int) -> None:
        """Bytes have gone into the black hole. One that was there from the beginning has acted with the first of them."""
        armed = self.rules.holes.get(self.holed)
        if armed is not None and not armed.count:
            armed.meets()
            self.fired(flow, armed, {"kind": "bytes", "size": size}, "blackhole")

    def reset(self, by: str) -> None:
        """RST to both sides; nothing that waits passes."""
        self._by = self._by or by
        self.up.clear()
        self.down.clear()
        self.client.reset()
        self.upstream.reset()
        self._close()

    def half_closed(self) -> None:
        """One side's end has reached the other: when both have, the sockets are closed."""
        self._by = self._by or ("client" if self.up.finished else "upstream")
        if self.up.drained and self.down.drained:
            self.client.close()
            self.upstream.close()

    def unreachable(self) -> None:
        """The upstream does not answer."""
        self.reset("upstream")

    def _lost(self, end: End, was_reset: bool) -> None:
        if self.over:
            return
        self._by = self._by or ("client" if end is self.client else "upstream")
        leaving, arriving = (self.up, self.down) if end is self.client else (self.down, self.up)
        arriving.clear()
        leaving.finish("reset" if was_reset else "close")
        if (self.client.gone or self.client.transport is None) and (self.upstream.gone or self.upstream.transport is None):
            self._close()

    def _close(self) -> None:
        if not self.over:
            self.over = True
            self.client.gone = self.upstream.gone = True  # a socket that is still being made is reset when it is there
            self.desk.forget(self)
            self.tell({"kind": "close", "size": 0}, "up" if self._by == "client" else "down", by=self._by or "upstream")
