"""Where the cells of the course's honeycomb lie: flat-top hexagons in staggered columns, fill height = share done.

Used by the start page, Home and the course page through `macros/comb.html`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDE, HIGH = 64.0, 55.4  #: of one cell, in units of the drawing
GAP = 6.0


@dataclass(frozen=True, slots=True)
class Cell:
    """A module. `share` is 0..1; `state`: `open`, `now` (the next step lies here) or `planned` (nothing written yet)."""

    id: str
    number: str
    title: str
    share: float
    free: bool
    state: str
    url: str


@dataclass(frozen=True, slots=True)
class Placed:
    """A cell with its outline (`points` of a polygon) and the part of it that is filled."""

    cell: Cell
    x: float
    y: float
    points: str
    filled: str


@dataclass(frozen=True, slots=True)
class Comb:
    """All cells and the size of the drawing."""

    cells: tuple[Placed, ...]
    width: float
    height: float


def corners(x: float, y: float) -> list[tuple[float, float]]:
    """Corners of a flat-top hexagon around (x, y), clockwise from the right."""
    half, quarter, up = WIDE / 2, WIDE / 4, HIGH / 2
    return [
        (x + half, y),
        (x + quarter, y + up),
        (x - quarter, y + up),
        (x - half, y),
        (x - quarter, y - up),
        (x + quarter, y - up),
    ]


def below(x: float, y: float, share: float) -> list[tuple[float, float]]:
    """The part of the hexagon around (x, y) that lies below its fill line; empty for a share of 0."""
    if share <= 0:
        return []
    up, level = HIGH / 2, y + HIGH / 2 - HIGH * min(share, 1.0)

    def half_width(at: float) -> float:
        return WIDE / 2 - abs(at - y) / up * (WIDE / 4)

    right = [(x + half_width(level), level)] + [(x + half_width(y), y)] * (level < y) + [(x + WIDE / 4, y + up)]
    return right + [(2 * x - px, py) for px, py in reversed(right)]


def text(points: Sequence[tuple[float, float]]) -> str:
    """For the `points` attribute."""
    return " ".join(f"{px:.1f},{py:.1f}" for px, py in points)


def comb(cells: Sequence[Cell], columns: int = 5) -> Comb:
    """Lay cells out row by row; every second column hangs half a cell lower."""
    step_x, step_y = WIDE * 0.75 + GAP, HIGH + GAP
    placed = []
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        x = WIDE / 2 + 3 + column * step_x
        y = HIGH / 2 + 3 + row * step_y + (column % 2) * step_y / 2
        placed.append(Placed(cell, x, y, text(corners(x, y)), text(below(x, y, cell.share))))
    rows = math.ceil(len(cells) / columns)
    return Comb(tuple(placed), (columns - 1) * step_x + WIDE + 6, rows * step_y + step_y / 2 + 6)
