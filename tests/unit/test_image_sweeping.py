"""Old images: they go when nobody has used them for a while, and never from under a process that does."""

from __future__ import annotations

import os
import time
from pathlib import Path

from app.sandbox.images.layout import LEASE, Layout
from app.sandbox.images.store import ImageStore
from app.sandbox.images.sweeping import sweep
from tests.product import TOP


def place(layout: Layout, name: str, hours_ago: float) -> Path:
    home = layout.root / name
    (home / "root").mkdir(parents=True)
    (home / LEASE).touch()
    os.utime(home / LEASE, (time.time() - hours_ago * 3600,) * 2)
    return home


def test_only_old_unused_images_of_other_digests_go(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    current = place(layout, "python-111111111111", 100)
    recent = place(layout, "python-222222222222", 1)
    old = place(layout, "python-333333333333", 25)
    assert sweep(layout, {current}) == [old.name]
    assert current.is_dir()
    assert recent.is_dir()
    assert not old.exists()


def test_an_image_in_use_stays_however_old(tmp_path: Path) -> None:
    # Given an image that a process was handed long ago
    store = ImageStore(tmp_path, TOP / "sandboxes")
    layout = Layout(tmp_path)
    home = place(layout, f"agent-{store.digest('agent')[:12]}", 0)
    assert store.ready("agent")
    os.utime(home / LEASE, (0, 0))
    # When its definition is no longer current, then it stays as long as that process
    assert sweep(layout, set()) == []
    assert store.ready("agent")
