"""How `./soty content reload` tells every process to load the course anew: a file whose time changes."""

from __future__ import annotations

import time
from pathlib import Path

LOOK_EVERY = 1.0  #: seconds between two looks at the file


class Generation:
    """Tells once per change that the content should be loaded again. Not locked: its owner is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = self._read()
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """Whether somebody asked for a reload since the last look; looks at most once per second."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return False
        self._looked = time.monotonic()
        stamp = self._read()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        return True

    def _read(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0


def generation_file(home: Path) -> Path:
    """Where the file lies below SOTY_HOME."""
    return home / "content-generation"


def ask_for_reload(home: Path) -> None:
    """Make every process of this SOTY_HOME load the course anew within about a second of its next use."""
    path = generation_file(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{time.time_ns()}\n")
