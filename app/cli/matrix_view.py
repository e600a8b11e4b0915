"""A matrix of solutions and checks as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from app.grading.matrix import Cell, Matrix, Row

WORDS: dict[Cell, str] = {
    "waiting": "  -", "running": "… runs", "passed": "✓ pass", "failed": "✕ fail", "errored": "⚠ error", "skipped": "· skip",
}  # fmt: skip
_CELL = 8
_KIND = 9


def matrix_lines(matrix: Matrix, width: int) -> list[str]:
    """The whole matrix; where the ids of the checks are too wide for the terminal, columns have numbers and a legend.

    Args:
        width: columns of the terminal.
    """
    rows, checks = matrix.rows, matrix.checks
    first = _KIND + 2 + max([len(row.name) for row in rows], default=8)
    wide = [max(_CELL, len(check)) for check in checks]
    numbered = first + sum(size + 2 for size in wide) + 12 > width
    heads = [str(number) for number in range(1, len(checks) + 1)] if numbered else list(checks)
    sizes = [_CELL] * len(checks) if numbered else wide
    lines = ["  ".join([" " * first, *(head.ljust(size) for head, size in zip(heads, sizes, strict=True))]).rstrip()]
    for row in rows:
        title = f"{row.trial.kind:{_KIND}}  {row.name if row.name != row.trial.kind else ''}".ljust(first)
        cells = [_cell(row, check).ljust(size) for check, size in zip(checks, sizes, strict=True)]
        lines.append("  ".join([title, *cells, _verdict(row)]).rstrip()[:width])
    if numbered:
        lines += ["", *(f"{number}: {check}" for number, check in enumerate(checks, 1))]
    return lines


def row_line(row: Row, checks: Sequence[str]) -> str:
    """One finished solution on a line of its own."""
    cells = ", ".join(f"{check} {_cell(row, check)}" for check in checks)
    right = row.tried is not None and row.tried.ok
    why = row.trouble or (row.tried.why if row.tried else "")
    name = f" {row.name}" if row.name != row.trial.kind else ""
    return f"{'ok ' if right else 'BAD'} {row.trial.kind}{name}: {cells}" + (f"; {why}" if why else "")


def summary(matrix: Matrix) -> str:
    """How many solutions are judged as they must be."""
    rows = matrix.rows
    right = sum(bool(row.tried and row.tried.ok) for row in rows)
    return f"{right} of {len(rows)} solutions are judged as they must be"


def _cell(row: Row, check: str) -> str:
    cell = row.cells.get(check, "waiting")
    return WORDS[cell] + ("!" if row.state == "done" and row.misses(check) else "")


def _verdict(row: Row) -> str:
    if row.trouble:
        return f"⚠ {row.trouble}"
    if row.tried is None:
        return "" if row.state == "waiting" else "…"
    return "ok" if row.tried.ok else f"BAD: {row.tried.why}"
