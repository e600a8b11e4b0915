"""Removes what a store no longer needs: images of old digests that nobody has used for a day, remains of dead builds."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.sandbox.images.layout import LEASE, Layout
from app.sandbox.images.objects import Objects

KEPT_SECONDS = 24 * 3600.0


def sweep(layout: Layout, current: Collection[Path], kept_seconds: float = KEPT_SECONDS) -> list[str]:
    """Remove every image folder that is not `current`, not leased by a process and not used for `kept_seconds`.

    Only under the builders' lock. Returns the names of the folders that went.
    """
    graveyard = layout.root / "building"
    shutil.rmtree(graveyard, ignore_errors=True)
    graveyard.mkdir(parents=True)
    removed = []
    for lease in sorted(layout.root.glob(f"*-*/{LEASE}")):
        home = lease.parent
        if home in current or time.time() - lease.stat().st_mtime < kept_seconds:
            continue
        with _unleased(lease) as free:
            if free:
                # Out of sight in one step: whoever looks for it now finds nothing, never half of it.
                home.rename(graveyard / home.name)
                removed.append(home.name)
    if removed:
        shutil.rmtree(graveyard)
        Objects(layout.root / "objects").sweep()
    return removed


@contextmanager
def _unleased(lease: Path) -> Iterator[bool]:
    with lease.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
