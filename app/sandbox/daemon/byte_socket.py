"""The socket for bytes: one line of JSON with a grant, one line back, then raw bytes, so that back-pressure is the socket's.

First lines:
    {"op": "terminal", "ticket": …, "rows": 24, "cols": 80}      then the terminal, both ways
    {"op": "logs", "ticket": …, "offset": 0}                     then output as it comes, from `offset`
    {"op": "resize", "stream": handle, "rows": 40, "cols": 120}
    {"op": "renew", "stream": handle, "ticket": …}
Answers: {"ok": true, "stream": handle} to the first two, {"ok": true} to the others, {"ok": false, "error": code} to anything
that cannot be. A stream whose ticket is not renewed ends after 75 s.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidInput, NotFound, PlatformError, TooMany
from app.sandbox.daemon.record import Record
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.daemon.services import Services
from app.sandbox.daemon.sockets import private_socket
from app.sandbox.daemon.terminal_pumps import CHUNK, STALLED_SECONDS, pump_in, pump_out
from app.sandbox.engine import Terminal
from app.sandbox.first_of import first_of
from app.sandbox.grants import Grant, Kind, TicketVerifier
from app.sandbox.model import SandboxState

log = logging.getLogger(__name__)
FIRST_LINE_SECONDS = 5.0
MAX_FIRST_LINE = 4096
RENEW_SECONDS = 75.0  #: `live` closes at 60 s; this holds even if it does not
MAX_STREAMS = 1000
_LOOK_SECONDS = 0.25  #: between two looks at a log that had nothing new


@dataclass(slots=True)
class Stream:
    """An open stream; `until` is the loop's time at which its grant ends."""

    grant: Grant
    until: float
    terminal: Terminal | None = None


class ByteSocket:
    """Serves terminals and logs to `live`."""

    def __init__(self, sandboxes: Sandboxes, services: Services, verifier: TicketVerifier) -> None:
        self._sandboxes = sandboxes
        self._services = services
        self._verifier = verifier
        self._streams: dict[str, Stream] = {}
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self, path: Path, group: str) -> AsyncIterator[None]:
        """Serve `group` on `path` while inside."""
        with private_socket(path, group):
            server = await asyncio.start_unix_server(self._serve, path, limit=MAX_FIRST_LINE)
        try:
            yield
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            path.unlink(missing_ok=True)  # gRPC removes its own sockets

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        try:
            await self._answer(reader, writer)
        except PlatformError as error:
            with suppress(ConnectionError):
                await _say(writer, {"ok": False, "error": error.code})
        except (ConnectionError, TimeoutError):
            pass  # the other side is gone; so is the stream
        except Exception:
            log.exception("a stream failed")
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _first_line(reader)
        match request.get("op"):
            case "terminal":
                await self._terminal(request, reader, writer)
            case "logs":
                await self._logs(request, reader, writer)
            case "resize":
                terminal = self._stream(request).terminal
                if terminal is not None:
                    terminal.resize(_number(request, "rows", 24), _number(request, "cols", 80))
                await _say(writer, {"ok": True})
            case "renew":
                stream = self._stream(request)
                if not stream.grant.same_stream(self._verifier.redeem(_text(request, "ticket"))):
                    raise InvalidInput("The ticket is for another stream.", code="ticket-refused")
                stream.until = _in(RENEW_SECONDS)
                await _say(writer, {"ok": True})
            case _:
                raise InvalidInput("Unknown operation.", code="unknown-operation")

    # Streams

    async def _terminal(self, request: Mapping[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record, grant = self._redeem(request, Kind.TERMINAL)
        status = next((s for s in record.services if s.full_name == grant.service), None)
        if status is None or record.is_given(status.name):
            # The platform's own services hold credentials that a shell could read.
            raise NotFound("There is no terminal in this service.", code="no-terminal-here")
        rows, cols = _number(request, "rows", 24), _number(request, "cols", 80)
        terminal = await self._sandboxes.engine.terminal(record.id, grant.service, rows=rows, cols=cols)
        try:
            async with self._open(grant, writer, terminal) as stream:
                await first_of(
                    pump_in(reader, terminal, lambda: self._sandboxes.touch(record)),
                    pump_out(terminal, writer),
                    self._until_over(stream),
                )
        finally:
            await terminal.close()

    async def _logs(self, request: Mapping[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        record, grant = self._redeem(request, Kind.LOGS)
        offset = max(0, _number(request, "offset", 0))
        await self._services.logs(record.id, grant.service, offset, 1)
        async with self._open(grant, writer) as stream:
            await first_of(self._follow(record, grant.service, offset, writer), reader.read(1), self._until_over(stream))

    async def _follow(self, record: Record, service: str, offset: int, writer: asyncio.StreamWriter) -> None:
        while record.state is not SandboxState.GONE:
            chunk = await self._services.logs(record.id, service, offset, CHUNK)
            if chunk.data:
                offset = chunk.offset + len(chunk.data)
                writer.write(chunk.data)
                await asyncio.wait_for(writer.drain(), STALLED_SECONDS)
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    @asynccontextmanager
    async def _open(
        self, grant: Grant, writer: asyncio.StreamWriter, terminal: Terminal | None = None
    ) -> AsyncIterator[Stream]:
        handle = secrets.token_urlsafe(18)
        stream = Stream(grant, _in(RENEW_SECONDS), terminal)
        self._streams[handle] = stream
        try:
            await _say(writer, {"ok": True, "stream": handle})
            yield stream
        finally:
            del self._streams[handle]

    async def _until_over(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        while (left := stream.until - loop.time()) > 0:
            await asyncio.sleep(left)

    def _redeem(self, request: Mapping[str, Any], kind: Kind) -> tuple[Record, Grant]:
        grant = self._verifier.redeem(_text(request, "ticket"))
        if grant.kind is not kind:
            raise InvalidInput("The ticket is for another kind of stream.", code="ticket-refused")
        if len(self._streams) >= MAX_STREAMS:
            raise TooMany("Too many streams are open.")
        return self._sandboxes.get(grant.sandbox, touch=True), grant

    def _stream(self, request: Mapping[str, Any]) -> Stream:
        stream = self._streams.get(_text(request, "stream"))
        if stream is None:
            raise NotFound("There is no such stream.", code="no-such-stream")
        return stream


async def _first_line(reader: asyncio.StreamReader) -> Mapping[str, Any]:
    try:
        line = await asyncio.wait_for(reader.readuntil(b"\n"), FIRST_LINE_SECONDS)
        request = json.loads(line)
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError, RecursionError):
        raise InvalidInput("The first line is not a request.", code="not-a-request") from None
    if not isinstance(request, dict):
        raise InvalidInput("The first line is not a request.", code="not-a-request")
    return request


async def _say(writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await asyncio.wait_for(writer.drain(), FIRST_LINE_SECONDS)


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    return value if isinstance(value, str) else ""


def _number(request: Mapping[str, Any], key: str, otherwise: int) -> int:
    value = request.get(key, otherwise)
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def _in(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds
