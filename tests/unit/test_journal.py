"""The journal survives what machines do to files."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.sandbox.journal import Entry, Journal
from app.sandbox.model import Purpose, SandboxState

ENTRY = Entry("a" * 20, "echo", "hash", Purpose.PRACTICE, "ada", 5.0, SandboxState.QUEUED)


def test_what_was_written_last_is_read_oldest_first(tmp_path: Path) -> None:
    async def scene() -> None:
        journal = Journal(tmp_path / "journal")
        older = replace(ENTRY, id="b" * 20, created=1.0)
        await asyncio.gather(*(journal.write(replace(ENTRY, state=state)) for state in SandboxState))
        await journal.write(older)
        assert list(journal.read()) == [older, replace(ENTRY, state=SandboxState.GONE)]
        await journal.forget(older.id)
        await journal.forget("never known")
        assert [entry.id for entry in journal.read()] == [ENTRY.id]
        journal.close()

    asyncio.run(scene())


def test_an_entry_is_on_the_disk_before_write_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a disk that notes what is synced and when the entry gets its name
    happened: list[str] = []
    fsync, replace_file = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (happened.append(Path(f"/proc/self/fd/{fd}").readlink().name), fsync(fd)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (happened.append("renamed"), replace_file(self, to)))

    async def scene() -> None:
        journal = Journal(tmp_path / "journal")
        await journal.write(ENTRY)
        # Then content, name and folder are durable, in this order
        assert happened == [f"{ENTRY.id}.part", "renamed", "journal"]
        journal.close()

    asyncio.run(scene())


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"id": "x"}', "\0" * 200])
def test_a_damaged_entry_is_put_aside_and_the_rest_is_read(tmp_path: Path, damage: str) -> None:
    async def scene() -> None:
        journal = Journal(tmp_path / "journal")
        await journal.write(ENTRY)
        (tmp_path / "journal" / "damaged.json").write_text(damage)
        (tmp_path / "journal" / "half.part").write_text("{")
        assert list(journal.read()) == [ENTRY]
        assert {path.name for path in (tmp_path / "journal").iterdir()} == {f"{ENTRY.id}.json", "damaged.unreadable"}
        journal.close()

    asyncio.run(scene())
