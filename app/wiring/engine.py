"""Which engine runs the sandboxes of this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.sandbox.engines.embedded import EmbeddedEngine, start_spawner
from app.settings import Settings, SettingsInvalid

if TYPE_CHECKING:
    from app.sandbox.daemon.preparation import Images
    from app.sandbox.engine import Engine
    from app.sandbox.model import DoctorReport


def examine_engine(settings: Settings) -> DoctorReport:
    """What the engine says of this machine, where no `sandboxd` runs that could be asked."""
    engine, _images = embedded_engine(settings)
    return asyncio.run(engine.doctor())


def embedded_engine(settings: Settings) -> tuple[Engine, Images]:
    """Pods of this machine, with the images that they are made of.

    Raises:
        SettingsInvalid: another engine is asked for.
    """
    if settings.engine not in ("auto", "embedded"):
        raise SettingsInvalid(f"SOTY_ENGINE={settings.engine}: this engine is not built yet.", cure="Set SOTY_ENGINE=embedded.")
    # First of all: the spawner must be a child of a process without threads.
    spawner = start_spawner(settings.home)
    from app.sandbox.images.store import ImageStore

    images = ImageStore(settings.home / "images", settings.images_dir, settings.apt_mirror)
    return EmbeddedEngine(settings.home, images, spawner), images


def fake_engine(settings: Settings) -> tuple[Engine, Images]:
    """Scripts instead of sandboxes.

    Raises:
        SettingsInvalid: outside of tests.
    """
    if not settings.testing:
        raise SettingsInvalid("SOTY_ENGINE=fake runs nothing and is for tests.", cure="Set SOTY_ENGINE=auto.")
    from app.sandbox.daemon.preparation import NoTrees
    from app.sandbox.engines.fake import FakeEngine

    return FakeEngine(), NoTrees(settings.images_dir)
