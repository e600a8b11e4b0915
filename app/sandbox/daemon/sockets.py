"""Unix sockets that only one class of callers can open."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import PlatformError

APP_GROUP, LIVE_GROUP = "soty-app", "soty-live"  #: accounts of the callers, where sandboxd is root
MAX_PATH_BYTES = 100  #: the kernel takes 107


@contextmanager
def private_socket(path: Path, group: str) -> Iterator[None]:
    """A socket made inside is ours alone at first, then also the group's (where that account exists and we are root)."""
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise PlatformError(f"The path of a socket is too long: {path}", code="path-too-long", cure="Set a shorter SOTY_HOME.")
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)
    if os.geteuid() == 0:
        with suppress(KeyError):
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
            path.chmod(0o660)
