"""Rendered texts on disk, by the hash of their source and of everything that renders them. May be deleted at any time."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

_RENDERER = ("markdown", "pygments", "nh3", "pydantic")


class RenderCache:
    """`folder` may be missing or read-only: then everything is rendered anew, which is slower and nothing else.

    Args:
        folder: where entries lie, or None for no cache.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def key(self, *parts: str) -> str:
        """SHA-256 over the parts and the renderer's own version."""
        digest = hashlib.sha256(renderer_version().encode())
        for part in parts:
            digest.update(f"{len(part)}:".encode())
            digest.update(part.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    def get(self, key: str) -> bytes | None:
        """The entry, or None."""
        if self._folder is None:
            return None
        try:
            return self._path(key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, value: bytes) -> None:
        """Store an entry so that a reader sees all of it or nothing."""
        if self._folder is None:
            return
        path = self._path(key)
        with suppress(OSError):  # a full or read-only disk must not keep lessons from being read
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent)
            with os.fdopen(handle, "wb") as file:
                file.write(value)
            Path(name).replace(path)

    def _path(self, key: str) -> Path:
        assert self._folder is not None
        return self._folder / key[:2] / f"{key[2:]}.json"


@cache
def renderer_version() -> str:
    """Changes with any source file of this room and with the libraries that render."""
    digest = hashlib.sha256("".join(f"{name}={version(name)};" for name in _RENDERER).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
