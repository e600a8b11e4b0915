"""One sandboxd per `SOTY_HOME`: two would start and reap each other's sandboxes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import Conflict


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold `folder`/lock; the kernel lets it go with the process, however that ends.

    Raises:
        Conflict: another one holds it; the message names its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Conflict(
                f"sandboxd runs already for this SOTY_HOME (process {file.read().strip() or 'unknown'}).",
                code="already-running",
                cure="Stop it first, or set another SOTY_HOME.",
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
