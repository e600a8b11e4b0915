"""Guests of the platform and terminals, seen from the engine."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from collections.abc import Awaitable, Callable

_LARGEST = 500
_STREAM_LIMIT = 1 << 20


class EmbeddedTerminal:
    """See `app.sandbox.engine.Terminal`. Owns the master side of a pseudo-terminal whose other side is in the service."""

    def __init__(self, master: int, hang_up: Callable[[], Awaitable[None]]) -> None:
        self._master = master
        self._hang_up = hang_up

    def fileno(self) -> int:
        """The descriptor to read and write; -1 once closed."""
        return self._master

    def resize(self, rows: int, cols: int) -> None:
        """See `Terminal`."""
        rows, cols = (min(_LARGEST, max(1, number)) for number in (rows, cols))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    async def close(self) -> None:
        """See `Terminal`. Idempotent."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1
            await self._hang_up()


class EmbeddedMember:
    """See `app.sandbox.engine.Member`."""

    def __init__(
        self,
        stdin: asyncio.StreamWriter,
        stdout: asyncio.StreamReader,
        kill: Callable[[], Awaitable[None]],
        stderr: Callable[[], Awaitable[bytes]],
        stands_for: str = "",
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stands_for = stands_for
        self._kill = kill
        self._stderr = stderr
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._code.done()

    async def wait(self) -> int:
        """See `Member`."""
        return await asyncio.shield(self._code)

    async def stderr_tail(self) -> bytes:
        """See `Member`."""
        return await self._stderr()

    async def kill(self) -> None:
        """See `Member`."""
        if self.running:
            await self._kill()
            await self.wait()

    def ended(self, code: int) -> None:
        """The agent says so; 128 + n stands for signal n."""
        if not self._code.done():
            self._code.set_result(128 - code if code > 128 else code)
        self.stdin.close()


async def open_pipes() -> tuple[asyncio.StreamWriter, asyncio.StreamReader, int, int]:
    """Our ends of a guest's stdin and stdout as streams, and its ends as descriptors that the caller closes."""
    loop = asyncio.get_running_loop()
    their_stdin, our_stdin = os.pipe2(os.O_CLOEXEC)
    our_stdout, their_stdout = os.pipe2(os.O_CLOEXEC)
    reader = asyncio.StreamReader(limit=_STREAM_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_stdout, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(our_stdin, "wb", 0)
    )
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    return writer, reader, their_stdin, their_stdout
