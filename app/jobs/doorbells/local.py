"""The doorbell of one machine: a datagram to the socket of every worker, so that a job is claimed at once."""

from __future__ import annotations

import random
import select
import socket
from contextlib import suppress
from pathlib import Path

_ENDING = ".bell"


class LocalDoorbell:
    """Rings all workers that share a folder. Workers look at the queue by themselves as well, when their wait ends.

    Args:
        folder: which nobody but the product's own account can enter.
        slot: of the worker process that listens, which holds this place; None for who only rings.
    """

    def __init__(self, folder: Path, slot: int | None = None) -> None:
        self._folder = folder
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._path = None if slot is None else folder / f"{slot}{_ENDING}"
        if self._path is not None:
            self._path.unlink(missing_ok=True)  # of a predecessor that was killed
            self._socket.bind(str(self._path))

    def ring(self) -> None:
        for path in self._folder.glob(f"*{_ENDING}"):
            with suppress(OSError):  # nobody listens there any more, or it has been rung often enough
                self._socket.sendto(b".", str(path))

    def wait(self, seconds: float) -> None:
        pause = seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads workers, guards nothing
        if select.select([self._socket], [], [], pause)[0]:
            with suppress(BlockingIOError):
                while self._socket.recv(16):
                    pass

    def close(self) -> None:
        self.ring()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
