"""Shows directories that lie below closed ones (such as a 0700 home) to the uids of pods.

They are bound below a directory that nobody uses, in a mount namespace of the spawner's own: nothing changes for the host,
and everything is gone with the process.
"""

from __future__ import annotations

import os

from .. import linux
from .powers import Powers, open_to_others

_COVERS = ("/boot", "/mnt", "/media")


class Unreachable(Exception):
    """Pods have uids of their own and cannot enter this directory."""


class Places:
    """Maps a directory of the host to a path that pods can enter."""

    def __init__(self, powers: Powers) -> None:
        self._powers = powers
        self._cover = ""
        self._bound: dict[str, str] = {}

    def reach(self, path: str) -> str:
        """A path to the same directory that every uid can enter.

        Raises:
            Unreachable: there is none.
        """
        path = os.path.realpath(path)
        if not self._powers.pod_uids or open_to_others(path):
            return path
        if path not in self._bound:
            self._bound[path] = self._bind(path)
        return self._bound[path]

    def _bind(self, path: str) -> str:
        if not self._powers.mounts:
            raise Unreachable(f"other users cannot enter {path}, and this process may not bind it elsewhere")
        if not self._cover:
            self._cover = self._make_cover()
        target = f"{self._cover}/{len(self._bound)}"
        os.makedirs(target, 0o755, exist_ok=True)
        linux.mount(path, target, "", linux.MS_BIND)
        return target

    @staticmethod
    def _make_cover() -> str:
        cover = next((path for path in _COVERS if os.path.isdir(path)), None)
        if cover is None:
            raise Unreachable(f"none of {', '.join(_COVERS)} exists to bind closed directories on")
        linux.unshare(linux.CLONE_NEWNS)
        linux.mount("none", "/", "", linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("tmpfs", cover, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755,size=64k")
        return cover
