"""A service inside a sandbox, tried from outside: a port that leads to it, and a platform for the probes of the kit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.sandbox.engine import Engine

PASSWORD = "sesame-open_1"  #: of the prober


class SilentPlatform:
    """A platform on which every service is well."""

    def call(self, op: str, service: str = "", **arguments: Any) -> Any:
        return []

    def send(self, frame: dict[str, Any]) -> None:
        raise AssertionError(frame)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def way_into(engine: Engine, sandbox_id: str, service: str, port: int) -> AsyncIterator[int]:
    """The port on 127.0.0.1 whose connections are dialled through; when nobody listens inside, they are closed."""

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            dialled = await engine.dial(sandbox_id, service, port)
        except OSError:
            writer.close()
            return
        dialled.setblocking(False)
        there, back = await asyncio.open_connection(sock=dialled)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    server = await asyncio.start_server(through, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
