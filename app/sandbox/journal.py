"""What sandboxd intended and what became of it, one small JSON file per sandbox, durable before anything is created."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from app.sandbox.model import Purpose, SandboxState


@dataclass(frozen=True, slots=True)
class Entry:
    """One sandbox in the journal. Times are seconds since the epoch, 0: not yet."""

    id: str
    exercise_id: str
    content_hash: str
    purpose: Purpose
    owner: str
    created: float
    state: SandboxState
    reason: str = ""
    message: str = ""
    ready_at: float = 0.0
    ended_at: float = 0.0


class Journal:
    """A folder of entries. Writes happen in the order asked for, on one thread, so that the disk never stops the loop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")

    def read(self) -> Iterator[Entry]:
        """All entries, oldest first. A file that a power cut left unreadable is moved aside: it holds no running sandbox."""
        entries = []
        for path in self._folder.glob("*.json"):
            try:
                entries.append(_decode(path.read_text("utf-8")))
            except (ValueError, TypeError, KeyError, AttributeError):
                path.replace(path.with_suffix(".unreadable"))
        for part in self._folder.glob("*.part"):
            part.unlink()
        yield from sorted(entries, key=lambda entry: entry.created)

    async def write(self, entry: Entry) -> None:
        """Return once the entry is on the disk, whatever happens to the power then."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._write, entry)

    async def forget(self, sandbox_id: str) -> None:
        """Remove an entry; unknown ids are fine."""
        await asyncio.get_running_loop().run_in_executor(self._writer, self._path(sandbox_id).unlink, True)

    def close(self) -> None:
        """Finish what was asked for."""
        self._writer.shutdown()

    def _path(self, sandbox_id: str) -> Path:
        return self._folder / f"{sandbox_id}.json"

    def _write(self, entry: Entry) -> None:
        path = self._path(entry.id)
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(entry), file, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


_NAMES = frozenset(field.name for field in fields(Entry))


def _decode(text: str) -> Entry:
    data = json.loads(text)
    known = {name: value for name, value in data.items() if name in _NAMES}
    return Entry(**{**known, "purpose": Purpose(data["purpose"]), "state": SandboxState(data["state"])})
