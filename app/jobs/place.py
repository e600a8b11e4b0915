"""The place of a worker: one process at a time, so that it may take over what its dead predecessor held."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.errors import PlatformError


class PlaceTaken(PlatformError):
    """Another worker process runs in this place."""

    code = "worker-place-taken"


@dataclass(frozen=True, slots=True)
class Place:
    """Names for leases. `prefix` is shared by all processes that ever run in the place, `holder` is this one's alone."""

    prefix: str
    holder: str


@contextmanager
def taken_place(folder: Path, slot: int) -> Iterator[Place]:
    """Hold place `slot` of this machine and folder while the block runs.

    Raises:
        PlaceTaken: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"worker-{slot}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PlaceTaken(
                f"Worker {slot} runs already.", cure="Give each worker process of one machine its own --slot."
            ) from None
        here = hashlib.sha256(str(folder).encode()).hexdigest()[:6]
        prefix = f"{socket.gethostname()[:24]}-{here}/{slot}/"
        yield Place(prefix, f"{prefix}{os.getpid()}-{time.time_ns()}")
