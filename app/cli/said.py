"""How the command line speaks: results on stdout, everything else on stderr, tables without frames."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Sequence

from app.errors import PlatformError


def say(text: str) -> None:
    """A remark that is not the result."""
    print(text, file=sys.stderr)


class Remarks:
    """Says what is being waited for, at most every few seconds; threads may share it."""

    EVERY = 5.0

    def __init__(self) -> None:
        self._next, self._lock = 0.0, threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            if time.monotonic() >= self._next:
                self._next = time.monotonic() + self.EVERY
                say(text)


def say_error(error: PlatformError) -> None:
    """A fault with its cure."""
    say(f"soty: {error.message}" + (f"\n      {error.cure}" if error.cure else ""))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell."""
    lines = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
