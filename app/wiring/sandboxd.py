"""The process `sandboxd`. Its parts are imported once the spawner runs: that must be a child of a process without threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app import log
from app.sandbox.daemon.ownership import owned
from app.settings import Settings
from app.wiring.engine import embedded_engine, fake_engine

if TYPE_CHECKING:
    from app.sandbox.daemon.preparation import Images
    from app.sandbox.engine import Engine


def sandboxd(settings: Settings) -> None:
    """Run `sandboxd` until it is told to stop.

    Raises:
        PlatformError: it cannot start: another one runs, or the engine refuses its configuration.
    """
    log.configure("sandboxd", settings.log_level)
    with owned(settings.sandboxd_dir):
        _serve(settings, *(fake_engine(settings) if settings.engine == "fake" else embedded_engine(settings)))


def _serve(settings: Settings, engine: Engine, images: Images) -> None:
    from app.grading.prober.bundle import prober_files
    from app.sandbox.admission import Admission, capacity
    from app.sandbox.daemon.exercises import Exercises
    from app.sandbox.daemon.preparation import Preparation
    from app.sandbox.daemon.sandboxes import Sandboxes
    from app.sandbox.daemon.server import serve
    from app.sandbox.daemon.usual import UsualTimes
    from app.sandbox.grants import TicketVerifier, public_key_path
    from app.sandbox.journal import Journal
    from app.sandbox.taps.bundle import tap_files

    folder = settings.sandboxd_dir
    exercises = Exercises(settings.exercises_dir, prober_files)
    exercises.reload()

    async def run() -> None:
        preparation = Preparation(images, always=("agent", "prober") if settings.engine != "fake" else ())
        sandboxes = Sandboxes(
            engine,
            exercises,
            preparation,
            Journal(folder / "journal"),
            Admission(capacity(settings.sandbox_memory_mb, settings.sandbox_slots)),
            UsualTimes(folder / "usual.json"),
            tap_files(),
            instance=str(settings.home),
        )
        verifier = TicketVerifier(public_key_path(settings.home), settings.live_base_url)
        await serve(sandboxes, preparation, verifier, folder, debug=settings.log_level == "debug")

    asyncio.run(run())
