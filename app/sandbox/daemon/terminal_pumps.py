"""Bytes between a socket and a terminal's descriptor, without a thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from app.sandbox.engine import Terminal

CHUNK = 32768
STALLED_SECONDS = 60.0  #: a side that takes nothing for so long is gone


async def pump_in(reader: asyncio.StreamReader, terminal: Terminal, used: Callable[[], None]) -> None:
    """What a person types, until the person is gone; `used` is called for every piece."""
    while data := await reader.read(CHUNK):
        used()
        await _write(terminal.fileno(), data)


async def pump_out(terminal: Terminal, writer: asyncio.StreamWriter) -> None:
    """What the shell writes, until it ends; a reader that takes nothing makes the shell wait.

    Raises:
        TimeoutError: the reader has taken nothing for a minute.
    """
    loop = asyncio.get_running_loop()
    descriptor = terminal.fileno()
    readable = asyncio.Event()
    while True:
        readable.clear()
        loop.add_reader(descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(descriptor)
        try:
            data = os.read(descriptor, CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return  # EIO: the shell has ended
        if not data:
            return
        writer.write(data)
        await asyncio.wait_for(writer.drain(), STALLED_SECONDS)


async def _write(descriptor: int, data: bytes) -> None:
    loop = asyncio.get_running_loop()
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            writable = asyncio.Event()
            loop.add_writer(descriptor, writable.set)
            try:
                await asyncio.wait_for(writable.wait(), STALLED_SECONDS)
            finally:
                loop.remove_writer(descriptor)
        except OSError:
            return
