"""A machine whose every core has something else to do: under it, checks that measure time show themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.grading.local import DIES_WITH_US

_BUSY = "while True: pass"
_END_SECONDS = 5.0


@contextmanager
def busy_cores() -> Iterator[int]:
    """One process for each core that does nothing but work, until the block ends; yields how many."""
    count = os.cpu_count() or 1
    with ExitStack() as stack:
        for _ in range(count):
            argv = [*DIES_WITH_US, sys.executable, "-I", "-S", "-c", _BUSY]
            stack.callback(_end, subprocess.Popen(argv, stdin=subprocess.DEVNULL))
        yield count


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_END_SECONDS)
