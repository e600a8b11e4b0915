"""One WebSocket: its ticket, its renewals, and what flows through it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from app.errors import InvalidInput, NotFound, PlatformError, TooMany, Unavailable
from app.live.byte_stream import CHUNK, ByteStream, opened
from app.live.caps import Caps
from app.live.text import TextOf
from app.live.watching import Watching
from app.sandbox.first_of import first_of
from app.sandbox.grants import Grant, Kind, TicketRefused, TicketVerifier

FIRST_FRAME_SECONDS = 5.0
RENEW_SECONDS = 60.0
STALLED_SECONDS = 60.0

ENDED, RESTARTS, TRY_AGAIN = 1000, 1012, 1013
BAD_FRAME, REFUSED, NOTHING_THERE, TOO_MANY = 4400, 4401, 4404, 4429
_CLOSE_CODES: tuple[tuple[type[PlatformError], int], ...] = (
    (TicketRefused, REFUSED),
    (InvalidInput, BAD_FRAME),
    (NotFound, NOTHING_THERE),
    (TooMany, TOO_MANY),
    (Unavailable, TRY_AGAIN),
)


class Stream:
    """Serves one WebSocket until the page goes, the ticket runs out or the stream ends."""

    def __init__(
        self, socket: web.WebSocketResponse, verifier: TicketVerifier, watching: Watching, bytes_socket: Path, caps: Caps
    ) -> None:
        self._socket = socket
        self._verifier = verifier
        self._watching = watching
        self._bytes_socket = bytes_socket
        self._caps = caps
        self._until = 0.0

    async def serve(self) -> None:
        """Returns with the WebSocket closed and everything released."""
        code = ENDED
        try:
            await self._serve()
        except PlatformError as error:
            code = next((code for family, code in _CLOSE_CODES if isinstance(error, family)), TRY_AGAIN)
        except TimeoutError:
            code = REFUSED
        except (ConnectionError, asyncio.IncompleteReadError):
            code = TRY_AGAIN
        await self._socket.close(code=code)

    async def _serve(self) -> None:
        first = _object(await asyncio.wait_for(self._socket.receive(), FIRST_FRAME_SECONDS))
        ticket = str(first.get("ticket", ""))
        grant = self._verifier.redeem(ticket)
        self._stay()
        with self._caps.taken(grant):
            match grant.kind:
                case Kind.WATCH:
                    await self._run(grant, None, self._send_states(grant.sandbox))
                case Kind.LOGS:
                    offset = _number(first, "offset", 0)
                    async with opened(self._bytes_socket, {"op": "logs", "ticket": ticket, "offset": offset}) as stream:
                        await self._run(grant, stream, self._send_logs(grant.service, offset, stream))
                case Kind.TERMINAL:
                    size = {"rows": _number(first, "rows", 24), "cols": _number(first, "cols", 80)}
                    async with opened(self._bytes_socket, {"op": "terminal", "ticket": ticket, **size}) as stream:
                        await self._run(grant, stream, self._send_terminal(stream))

    async def _run(self, grant: Grant, stream: ByteStream | None, sending: Coroutine[Any, Any, None]) -> None:
        await first_of(sending, self._receive(grant, stream), self._run_out())

    # To the page

    async def _send_states(self, sandbox_id: str) -> None:
        async with aclosing(self._watching.frames(sandbox_id)) as frames:
            state = None
            async for state in frames:
                await self._send(json.dumps(state, ensure_ascii=False))
        if state is None:
            raise NotFound("There is no such sandbox.")

    async def _send_logs(self, service: str, offset: int, stream: ByteStream) -> None:
        text = TextOf()
        while data := await stream.reader.read(CHUNK):
            offset += len(data)
            frame = {"type": "logs", "service": service, "offset": offset, "data": text.feed(data)}
            await self._send(json.dumps(frame, ensure_ascii=False))

    async def _send_terminal(self, stream: ByteStream) -> None:
        while data := await stream.reader.read(CHUNK):
            await asyncio.wait_for(self._socket.send_bytes(data), STALLED_SECONDS)

    async def _send(self, frame: str) -> None:
        await asyncio.wait_for(self._socket.send_str(frame), STALLED_SECONDS)

    # From the page

    async def _receive(self, grant: Grant, stream: ByteStream | None) -> None:
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.BINARY and stream is not None and grant.kind is Kind.TERMINAL:
                stream.writer.write(message.data)
                await asyncio.wait_for(stream.writer.drain(), STALLED_SECONDS)
            elif message.type is WSMsgType.TEXT:
                await self._told(_object(message), grant, stream)
            elif message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED):
                return
            else:
                raise InvalidInput("This frame means nothing here.")

    async def _told(self, frame: dict[str, Any], grant: Grant, stream: ByteStream | None) -> None:
        if "ticket" in frame:
            ticket = str(frame["ticket"])
            if not grant.same_stream(self._verifier.redeem(ticket)):
                raise TicketRefused
            if stream is not None:
                await stream.renew(ticket)
            self._stay()
        elif stream is not None and grant.kind is Kind.TERMINAL:
            await stream.resize(_number(frame, "rows", 24), _number(frame, "cols", 80))

    def _stay(self) -> None:
        self._until = asyncio.get_running_loop().time() + RENEW_SECONDS

    async def _run_out(self) -> None:
        while (left := self._until - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(left)
        raise TicketRefused


def _object(message: Any) -> dict[str, Any]:
    if message.type is not WSMsgType.TEXT:
        raise InvalidInput("A text frame was expected.")
    try:
        data = json.loads(message.data)
    except (ValueError, RecursionError):
        raise InvalidInput("The frame is not JSON.") from None
    if not isinstance(data, dict):
        raise InvalidInput("The frame is not an object.")
    return data


def _number(frame: dict[str, Any], key: str, otherwise: int) -> int:
    value = frame.get(key, otherwise)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1 << 40:
        raise InvalidInput(f"`{key}` must be a whole number.")
    return value
