"""Terminals and guests of the fake engine: both give back what they are given."""

from __future__ import annotations

import asyncio
import json
import socket


class FakeTerminal:
    """A terminal on which nobody answers: what is typed comes back."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self._theirs.setblocking(False)
        self.size = (24, 80)
        asyncio.get_running_loop().add_reader(self._theirs, self._echo)

    def fileno(self) -> int:
        """See `Terminal`."""
        return self._ours.fileno()

    def resize(self, rows: int, cols: int) -> None:
        """See `Terminal`."""
        self.size = (min(500, max(1, rows)), min(500, max(1, cols)))

    async def close(self) -> None:
        """See `Terminal`."""
        if self._ours.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._theirs)
            self._ours.close()
            self._theirs.close()

    def _echo(self) -> None:
        data = self._theirs.recv(4096)
        if data:
            self._theirs.send(data)


class FakeMember:
    """A guest that runs one of the programs below until its stdin ends."""

    def __init__(
        self, stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, task: asyncio.Task[int], stands_for: str = ""
    ) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stands_for = stands_for
        self._task = task

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return not self._task.done()

    async def wait(self) -> int:
        """See `Member`."""
        await asyncio.wait([self._task])
        return -9 if self._task.cancelled() else self._task.result()

    async def stderr_tail(self) -> bytes:
        """See `Member`."""
        return b""

    async def kill(self) -> None:
        """See `Member`."""
        self._task.cancel()
        await self.wait()
        self.stdin.close()


async def echo_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """The program of a guest without a name."""
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    finally:
        writer.close()
    return 0


async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """The program of a tap through which nothing ever goes: it listens and agrees to everything."""
    try:
        writer.write(b'{"type": "ready"}\n')
        while line := await reader.readline():
            answer = {"type": "reply", "n": json.loads(line)["n"], "ok": True, "value": None}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
    finally:
        writer.close()
    return 0
