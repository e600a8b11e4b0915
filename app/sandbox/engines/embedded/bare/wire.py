"""Packets between engine, spawner and agents: one JSON header, bytes, and descriptors, over SOCK_SEQPACKET.

A packet is `header JSON` + newline + body. A body above `MAX_INLINE` travels in a sealed memfd, so that no sender can
change it or make the receiver wait while it is read.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MAX_INLINE = 64 << 10
MAX_BODY = 64 << 20
_MAX_PACKET = 192 << 10
_MAX_FDS = 8
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


class Broken(Exception):
    """The other side sent something that is not a packet."""


class Packet:
    """One message. Whoever receives it owns `fds`."""

    __slots__ = ("body", "fds", "header")

    def __init__(self) -> None:
        self.header: dict[str, Any] = {}
        self.body = b""
        self.fds: list[int] = []

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        for fd in self.fds:
            os.close(fd)
        self.fds.clear()


def sealed(data: bytes) -> int:
    """A memfd that holds `data` and can never change; the caller closes it."""
    fd = os.memfd_create("body", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _unseal(fd: int, limit: int) -> bytes:
    try:
        if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS or os.fstat(fd).st_size > limit:
            raise Broken("body is not sealed or too large")
        with open(fd, "rb", closefd=False) as file:
            return file.read(limit)
    except OSError as error:
        raise Broken(f"body: {error}") from None


def send(sock: socket.socket, header: dict[str, Any], body: bytes = b"", fds: Sequence[int] = ()) -> None:
    """Send one packet; the caller keeps its descriptors.

    Raises:
        BlockingIOError: the other side does not read.
        OSError: it is gone.
    """
    extra: list[int] = []
    try:
        if len(body) > MAX_INLINE:
            extra.append(sealed(body))
            header = {**header, "_memfd": True}
            body = b""
        data = json.dumps(header, separators=(",", ":")).encode() + b"\n" + body
        control = [*fds, *extra]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", control))] if control else []
        sock.sendmsg([data], rights, socket.MSG_NOSIGNAL)
    finally:
        for fd in extra:
            os.close(fd)


def receive(sock: socket.socket, *, max_body: int = MAX_BODY) -> Packet | None:
    """Receive one packet; None at the end of the stream.

    Raises:
        BlockingIOError: nothing there yet.
        Broken: not a packet.
        OSError: the other side is gone.
    """
    data, ancillary, flags, _ = sock.recvmsg(
        _MAX_PACKET, socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize), socket.MSG_CMSG_CLOEXEC
    )
    packet = Packet()
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds = array.array("i")
            fds.frombytes(payload[: len(payload) - len(payload) % fds.itemsize])
            packet.fds += fds
    if not data:
        packet.close()
        return None
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise Broken("packet was cut")
        head, newline, packet.body = data.partition(b"\n")
        header = json.loads(head)
        if not newline or not isinstance(header, dict):
            raise Broken("packet has no header")
        packet.header = header
        if header.pop("_memfd", False):
            if not packet.fds:
                raise Broken("packet has no body")
            fd = packet.fds.pop()
            try:
                packet.body = _unseal(fd, max_body)
            finally:
                os.close(fd)
    except (ValueError, RecursionError) as error:
        packet.close()
        raise Broken(f"header: {error}") from None
    except Broken:
        packet.close()
        raise
    return packet


def sealed_arguments(options: Sequence[str]) -> int:
    """Options for bubblewrap's --args, NUL-terminated, as a sealed memfd.

    Raises:
        ValueError: a text holds a NUL, which would smuggle in an option.
    """
    if any("\0" in text for text in options):
        raise ValueError("an argument holds a NUL")
    return sealed(b"".join(text.encode() + b"\0" for text in options))


def pack_files(files: dict[str, bytes]) -> bytes:
    """`{path: content}` as one body: a JSON index line, then the contents one after another."""
    index = json.dumps([[path, len(data)] for path, data in files.items()]).encode()
    return index + b"\n" + b"".join(files.values())


def unpack_files(body: bytes) -> dict[str, bytes]:
    """The reverse of `pack_files`."""
    head, _, rest = body.partition(b"\n")
    files: dict[str, bytes] = {}
    at = 0
    for path, size in json.loads(head or b"[]"):
        files[path] = rest[at : at + size]
        at += size
    return files
