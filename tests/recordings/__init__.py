"""Conversations of real clients with real servers, as the bytes that went each way: `*.hex`, made by `record.py`."""

from __future__ import annotations

from pathlib import Path

Chunk = tuple[str, bytes]  #: `up` or `down`, and the bytes


def recording(name: str) -> list[Chunk]:
    """The conversation in order."""
    lines = (Path(__file__).parent / f"{name}.hex").read_text("ascii").splitlines()
    return [(direction, bytes.fromhex(data)) for direction, _, data in (line.partition(" ") for line in lines)]
