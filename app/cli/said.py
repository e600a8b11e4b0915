"""How the command line speaks: results on stdout, everything else on stderr, tables without frames."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from app.errors import PlatformError


def say(text: str) -> None:
    """A remark that is not the result."""
    print(text, file=sys.stderr)


def say_error(error: PlatformError) -> None:
    """A fault with its cure."""
    say(f"soty: {error.message}" + (f"\n      {error.cure}" if error.cure else ""))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns as wide as their widest cell."""
    lines = [tuple(head), *(tuple(map(str, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
