"""Requests and answers over one packet socket, on an event loop."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable, Sequence
from typing import Any

from app.sandbox.engine import EngineError, NoSuchFile, NoSuchService
from app.sandbox.engines.embedded.bare import wire


class Gone(EngineError):
    """The other side of the channel has ended."""

    code = "engine-gone"


class Channel:
    """Numbers requests, matches answers, hands every other packet to `on_event`.

    Owns the socket. `on_end` is called once, when the other side is gone or talks nonsense.
    """

    def __init__(self, sock: socket.socket, on_event: Callable[[wire.Packet], None], on_end: Callable[[], None]) -> None:
        self._socket = sock
        self._on_event = on_event
        self._on_end = on_end
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[wire.Packet]] = {}
        self._loop = asyncio.get_running_loop()
        self._writable: asyncio.Future[None] | None = None
        self.closed = False
        self._loop.add_reader(sock.fileno(), self._readable)

    async def call(
        self, operation: str, *, timeout: float = 5.0, body: bytes = b"", fds: Sequence[int] = (), **arguments: Any
    ) -> wire.Packet:
        """Ask and wait. The caller owns the descriptors of the answer.

        Raises:
            Gone: the other side has ended.
            NoSuchService: as the other side says.
            EngineError: it refuses, or does not answer in time.
        """
        number = next(self._numbers)
        future: asyncio.Future[wire.Packet] = self._loop.create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(timeout):
                await self._send({"id": number, "op": operation, **arguments}, body, fds)
                packet = await future
        except TimeoutError:
            _forget(future)
            raise EngineError(f"{operation} was not answered within {timeout:g} s.", code="engine-timeout") from None
        except BaseException:
            _forget(future)
            raise
        finally:
            del self._waiting[number]
        error = packet.header.get("error")
        if error:
            packet.close()
            family = {"no-such-service": NoSuchService, "no-such-file": NoSuchFile}.get(error, EngineError)
            raise family(str(packet.header.get("message", error))[:500])
        return packet

    def close(self) -> None:
        """Idempotent; everybody who waits gets `Gone`."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Gone())
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(Gone())
        self._on_end()

    async def _send(self, header: dict[str, Any], body: bytes, fds: Sequence[int]) -> None:
        while True:
            if self.closed:
                raise Gone()
            try:
                wire.send(self._socket, header, body, fds)
                return
            except BlockingIOError:
                await self._drained()
            except OSError:
                self.close()
                raise Gone() from None

    async def _drained(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()
            self._loop.add_writer(self._socket.fileno(), self._wake)
        await asyncio.shield(self._writable)

    def _wake(self) -> None:
        self._loop.remove_writer(self._socket.fileno())
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    def _readable(self) -> None:
        for _ in range(16):  # a chatty other side must not keep the loop for itself
            try:
                packet = wire.receive(self._socket)
            except BlockingIOError:
                return
            except (OSError, wire.Broken):
                packet = None
            if packet is None:
                self.close()
                return
            future = self._waiting.get(packet.header.get("id", 0))
            if future is not None and not future.done():
                future.set_result(packet)
            elif "event" in packet.header:
                self._on_event(packet)
                packet.close()
            else:
                packet.close()
            if self.closed:
                return


def _forget(future: asyncio.Future[wire.Packet]) -> None:
    """Nobody will take what came, or comes, of a request."""
    if not future.done():
        future.cancel()
    elif not future.cancelled() and future.exception() is None:
        future.result().close()
