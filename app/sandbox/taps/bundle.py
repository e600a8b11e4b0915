"""The files of a tap: what runs inside the guest, without `tap.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).resolve().parent
COMMAND = ("/usr/bin/python3", "-I", "/member/run.py")


def tap_files() -> Mapping[str, bytes]:
    """Everything that is mounted at /member for a tap, but `tap.json`, which the caller adds: path -> content."""
    paths = sorted((_HERE / "proxy").rglob("*.py"))
    files = {path.relative_to(_HERE).as_posix(): path.read_bytes() for path in paths}
    return {"run.py": (_HERE / "run.py").read_bytes(), **files}
