"""A port of this machine that leads to a port inside a sandbox, for clients that can only connect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from app.sandbox.engine import Engine


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
