"""Repeating: an AMQP publish on a channel of the tap's own, an HTTP request on a connection of the tap's own."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from .decoder import Piece, Undecodable
from .decoders.amqp import Amqp, Copies
from .decoders.http import Http
from .hosts import look_up
from .trace import Event

if TYPE_CHECKING:
    from .connection import Connection
    from .flow import Flow

ANSWER = 30.0  #: seconds that the upstream may take for a repeated request
_tasks: set[asyncio.Task[None]] = set()


def repeat(connection: Connection, flow: Flow, unit: bytes, rule: str) -> None:
    """Send a unit once more, behind the first one."""
    if isinstance(connection.decoder, Amqp):
        copies = Copies(connection.decoder)
        flow.out(copies.of(unit))
        connection.down.swallow(copies.channel)
        return
    task = asyncio.get_running_loop().create_task(_request(connection, unit, rule))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


async def _request(connection: Connection, unit: bytes, rule: str) -> None:
    """The client never sees the answer; the trace does."""
    desk = connection.desk
    number = desk.number()
    decoder = Http(number)

    def read(direction: str, data: bytes) -> bool:
        """Trace what was sent or has come; whether the answer is whole."""
        pieces: list[Piece] = []
        decoder.feed("up" if direction == "up" else "down", data, time.monotonic(), pieces)
        return tell(direction, [event for piece in pieces for event in piece.events or ()])

    def tell(direction: str, events: list[Event]) -> bool:
        for event in events:
            who = {"conn": number, "from": connection.client_name, "to": desk.settings.upstream, "dir": direction}
            about = {"at": round(time.monotonic(), 6), "protocol": connection.protocol, "rule": rule, "action": "duplicate"}
            desk.trace.add({**event, **who, **about})
        return any(event["kind"] == "response" for event in events)

    try:
        async with asyncio.timeout(ANSWER):
            reader, writer = await asyncio.open_connection(look_up(desk.settings.upstream), connection.port)
            try:
                writer.write(unit)
                read("up", unit)
                while data := await reader.read(65536):
                    if read("down", data):
                        return
                tell("down", decoder.rest("down", time.monotonic(), True))
            finally:
                writer.close()
    except (OSError, Undecodable):
        return  # the copy was lost on its way, as copies may be
