"""Memory file systems that the agent owns: sized, with a ceiling on inodes, alive across restarts of a service."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from .. import linux


def make(path: Path, *, size_mb: int, inodes: int, uid: int, mode: int = 0o755) -> None:
    """Mount a tmpfs of this size; its root belongs to `uid` (of the pod)."""
    path.mkdir(parents=True, exist_ok=True)
    options = f"size={size_mb}m,nr_inodes={inodes},mode={mode:o},uid={uid},gid={uid}"
    linux.mount("tmpfs", str(path), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, options)


def drop(path: Path) -> None:
    """Unmount; what a running process still sees is freed with it."""
    with contextlib.suppress(OSError):
        linux.umount(str(path))


def write_files(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write files (relative paths that the engine has checked) below `folder`, each one atomically.

    Only the agent can write to `folder`, so there is no link in it to be careful of. With `replace`, what is not among
    `files` is removed afterwards.
    """
    for path, content in files.items():
        target = folder / path
        if target.is_dir():
            _remove(target)
        for parent in reversed(target.relative_to(folder).parents[:-1]):
            if (folder / parent).is_file():
                (folder / parent).unlink()
            (folder / parent).mkdir(exist_ok=True)
        temporary = folder / ".soty-new"
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    if replace:
        keep = {folder / path for path in files}
        for root, _, names in os.walk(folder, topdown=False):
            for name in names:
                if Path(root, name) not in keep:
                    Path(root, name).unlink()
            if Path(root) != folder and not os.listdir(root):
                os.rmdir(root)


def _remove(folder: Path) -> None:
    for root, folders, names in os.walk(folder, topdown=False):
        for name in names:
            os.unlink(os.path.join(root, name))
        for name in folders:
            os.rmdir(os.path.join(root, name))
    folder.rmdir()
