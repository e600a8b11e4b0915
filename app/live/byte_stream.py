"""Our end of sandboxd's byte socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import NotFound, Unavailable

CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 10.0
CHUNK = 16384


@dataclass(frozen=True, slots=True)
class ByteStream:
    """An open stream: raw bytes both ways."""

    socket_path: Path
    handle: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def resize(self, rows: int, cols: int) -> None:
        """Tell the terminal its size."""
        async with _asked(self.socket_path, {"op": "resize", "stream": self.handle, "rows": rows, "cols": cols}):
            pass

    async def renew(self, ticket: str) -> None:
        """Keep the stream alive."""
        async with _asked(self.socket_path, {"op": "renew", "stream": self.handle, "ticket": ticket}):
            pass


@asynccontextmanager
async def opened(socket_path: Path, request: dict[str, Any]) -> AsyncIterator[ByteStream]:
    """A stream as `app.sandbox.daemon.byte_socket` describes it.

    Raises:
        Unavailable: sandboxd does not answer, or the engine has trouble.
        NotFound: nothing there to stream.
    """
    async with _asked(socket_path, request) as (answer, reader, writer):
        yield ByteStream(socket_path, answer["stream"], reader, writer)


@asynccontextmanager
async def _asked(
    socket_path: Path, request: dict[str, Any]
) -> AsyncIterator[tuple[dict[str, Any], asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_unix_connection(socket_path), CONNECT_SECONDS)
    except (OSError, TimeoutError):
        raise Unavailable("The sandbox service does not answer.", code="sandboxd-down") from None
    try:
        writer.write(json.dumps(request).encode() + b"\n")
        try:
            line = await asyncio.wait_for(reader.readline(), ANSWER_SECONDS)
            answer: dict[str, Any] = json.loads(line)
        except (OSError, TimeoutError, ValueError):
            raise Unavailable("The sandbox service does not answer.", code="sandboxd-down") from None
        if not answer["ok"]:
            raise NotFound("There is nothing to stream.", code=str(answer["error"]))
        yield answer, reader, writer
    finally:
        writer.close()
