"""How long things usually take on this machine: medians of past launches, shown beside a running stage."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from pathlib import Path
from statistics import median

KEPT = 21  #: launches that a median looks back on
_MAX_KEYS = 2000


class UsualTimes:
    """Recent durations by name (`isolation`, `<exercise>/<service>`), kept in one small file across restarts.

    Losing the file costs nothing but a worse guess, so it is written without fsync.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seconds: dict[str, deque[float]] = {}
        self._changed = False
        try:
            data = json.loads(path.read_text("utf-8"))
            self._seconds = {str(k): deque(map(float, v), KEPT) for k, v in data.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._seconds = {}

    def get(self, name: str, otherwise: float = 0.0) -> float:
        """Median in seconds; `otherwise` while nothing is known."""
        past = self._seconds.get(name)
        return median(past) if past else otherwise

    def add(self, name: str, seconds: float) -> None:
        """Remember one more duration."""
        if name not in self._seconds and len(self._seconds) >= _MAX_KEYS:
            self._seconds.pop(next(iter(self._seconds)))
        self._seconds.setdefault(name, deque(maxlen=KEPT)).append(round(seconds, 3))
        self._changed = True

    async def save(self) -> None:
        """Write the file if something changed; the disk is not waited for on the loop."""
        if self._changed:
            self._changed = False
            text = json.dumps({name: list(past) for name, past in self._seconds.items()})
            await asyncio.to_thread(self._write, text)

    def _write(self, text: str) -> None:
        part = self._path.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(self._path)
