"""Accepts clients, finds out who they are, and connects those who may come with the upstream."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys

from .connection import Connection
from .desk import Desk
from .end import reset
from .hosts import look_up

MAX_CONNECTIONS = 200
CONNECTING = 5.0  #: seconds until an upstream that says nothing counts as gone
_AT_ONCE = 32  #: connections that are accepted before anything else has its turn
_PAUSE = 0.05  #: seconds after the process ran out of something


class Listener:
    """One port of a tap."""

    def __init__(self, desk: Desk, port: int) -> None:
        self._desk, self._port = desk, port
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket.create_server((desk.settings.address, port), backlog=128)
        self._socket.setblocking(False)

    async def run(self) -> None:
        """Accept for ever."""
        loop = asyncio.get_running_loop()
        for number in itertools.count(1):
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)  # accepting never waits while somebody comes
            try:
                sock, (address, _port) = await loop.sock_accept(self._socket)
            except OSError as error:
                print(f"tap: accept: {error}", file=sys.stderr)
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._tasks) + len(self._desk.connections) >= MAX_CONNECTIONS:
                self._refuse(sock, "", address, f"more than {MAX_CONNECTIONS} connections")
                continue
            task = loop.create_task(self._serve(sock, address))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, sock: socket.socket, address: str) -> None:
        desk, port = self._desk, self._port
        replica = await desk.peers.who(address)
        if not replica:
            self._refuse(sock, "", address, "nobody knows this address")
            return
        if not desk.settings.may(replica, port):
            self._refuse(sock, replica, address, "no edge leads here")
            return
        connection = desk.connect(replica, port)
        loop = asyncio.get_running_loop()
        if hole := desk.rules.hole(replica):
            connection.hole(hole.rule.id)
        else:
            await self._reach(connection)
        if connection.over:
            reset(sock)
            return
        try:
            await loop.connect_accepted_socket(lambda: connection.client, sock)
        except OSError:
            sock.close()
            connection.reset("client")

    async def _reach(self, connection: Connection) -> None:
        """Connect with the upstream; the connection is over when that fails.

        A host that has died refuses nothing, so the kernel would try for seconds: an upstream that `sandboxd` knows to be
        down counts as refused at once, as a dead process on a living host does.
        """
        if self._desk.presence.absent:
            connection.unreachable()
            return
        connecting = asyncio.create_task(self._connect(connection))
        leaving = asyncio.create_task(self._desk.presence.left())
        try:
            await asyncio.wait({connecting, leaving}, timeout=CONNECTING, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            connecting.cancel()
        if not connecting.done() or connecting.exception() is not None:
            connection.unreachable()

    async def _connect(self, connection: Connection) -> None:
        place = (look_up(self._desk.settings.upstream), self._port)
        await asyncio.get_running_loop().create_connection(lambda: connection.upstream, *place)

    def _refuse(self, sock: socket.socket, replica: str, address: str, why: str) -> None:
        self._desk.refused(replica, address, self._port, why)
        reset(sock)
