"""Reads files that learner code may have put there."""

from __future__ import annotations

import contextlib
import os
import stat

from .. import linux


class NoSuchFile(Exception):
    """Nothing there that may be read."""


def read_beneath(root: str, path: str, limit: int) -> bytes:
    """A regular file below `root`; neither links nor `..` are followed, and a fifo makes nobody wait.

    Raises:
        NoSuchFile: there is no such file, or it has more than `limit` bytes.
    """
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        fd = linux.open_beneath(directory, path, os.O_RDONLY)
    except OSError as error:
        raise NoSuchFile(error.strerror) from None
    finally:
        os.close(directory)
    try:
        state = os.fstat(fd)
        if not stat.S_ISREG(state.st_mode):
            raise NoSuchFile("it is not a regular file")
        if state.st_size > limit:
            raise NoSuchFile(f"it has {state.st_size} bytes, more than {limit}")
        with contextlib.closing(os.fdopen(os.dup(fd), "rb")) as file:
            return file.read(limit)
    finally:
        os.close(fd)
