"""The pipe to `sandboxd`: JSON lines on standard input and output. When it ends, so does the tap."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

from .trace import encode

MAX_QUESTION = 1 << 20
_HIGH = 256 << 10  #: bytes not read yet from which on the reader counts as slow


class Pipe(asyncio.Protocol):
    """Both ends.

    Args:
        ask: takes each question.
    """

    def __init__(self, ask: Callable[[dict[str, Any]], None]) -> None:
        self._ask = ask
        self._buffer = bytearray()
        self._out: asyncio.WriteTransport | None = None
        self.room = True  #: whether the other side reads as fast as we tell
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self, questions: int = 0, answers: int = 1) -> None:
        """Use these descriptors; nothing that is printed may reach them from here on."""
        loop = asyncio.get_running_loop()
        out, _ = await loop.connect_write_pipe(lambda: _Out(self), os.fdopen(os.dup(answers), "wb", buffering=0))
        out.set_write_buffer_limits(_HIGH)
        self._out = out
        await loop.connect_read_pipe(lambda: self, os.fdopen(os.dup(questions), "rb", buffering=0))
        os.dup2(2, answers)

    def send(self, frame: dict[str, Any]) -> None:
        """Tell one frame."""
        self.write(encode(frame).encode("utf-8", "replace") + b"\n")

    def write(self, line: bytes) -> None:
        """Tell a line that is encoded already."""
        if self._out is not None:
            self._out.write(line)

    def end(self, why: str) -> None:
        """Remember why the tap has to end; empty: because its owner is gone."""
        if not self.ended.done():
            self.ended.set_result(why)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            try:
                question = json.loads(line)
                if not isinstance(question, dict):
                    raise ValueError("not an object")
            except ValueError as error:
                self.end(f"a question is not JSON: {error}")
                return
            self._ask(question)
        if len(self._buffer) > MAX_QUESTION:
            self.end("a question is too long")

    def connection_lost(self, error: Exception | None) -> None:
        self.end("")


class _Out(asyncio.BaseProtocol):
    """The end that we write to."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def pause_writing(self) -> None:
        self._pipe.room = False

    def resume_writing(self) -> None:
        self._pipe.room = True

    def connection_lost(self, error: Exception | None) -> None:
        self._pipe.end("")
