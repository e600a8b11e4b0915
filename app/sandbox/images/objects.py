"""File contents that images share: every regular file is a hard link to `objects/<ab>/<sha256>[x]`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path


class Objects:
    """A content-addressed heap of read-only files.

    A file carries the owner of the store and mode 0644, or 0755 (its name then ends in `x`): no other bit survives.
    Nobody may write to a file that was placed: all images see the same inode.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def place(self, data: bytes, executable: bool, target: Path) -> None:
        """Make `target` (which must not exist) a file with this content."""
        found = self._object(data, executable)
        try:
            os.link(found, target)
        except OSError as error:
            if error.errno != errno.EMLINK:  # e.g. the empty file: ext4 allows 65 000 names per inode
                raise
            target.write_bytes(data)
            target.chmod(0o755 if executable else 0o644)

    def _object(self, data: bytes, executable: bool) -> Path:
        name = sha256(data).hexdigest()
        path = self._root / name[:2] / (name[2:] + ("x" if executable else ""))
        # The size tells a whole file from one that a power cut left empty.
        if not path.exists() or path.stat().st_size != len(data):
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_name(f"{path.name}.{os.getpid()}.part")
            part.write_bytes(data)
            part.chmod(0o755 if executable else 0o644)
            part.replace(path)
        return path

    def sweep(self) -> int:
        """Remove what no image links to; return how many files went. Only under the builders' lock."""
        unused = [path for path in self._files() if path.stat().st_nlink == 1]
        for path in unused:
            path.unlink()
        return len(unused)

    def _files(self) -> Iterator[Path]:
        return (path for shelf in self._root.glob("??") for path in shelf.iterdir())
