"""One process, one event loop: listen, forward, trace, obey."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path

from .desk import Desk
from .listener import Listener
from .pipe import Pipe
from .settings import Settings


def main(home: Path) -> int:
    """Run the tap that `home`/tap.json describes until its pipe ends.

    Returns:
        0 when the owner is gone, 1 after a fault, which is told on standard error.
    """
    return asyncio.run(_run(Settings.read(home)))


async def _run(settings: Settings) -> int:
    pipe = Pipe(lambda question: desk.ask(question))
    desk = Desk(settings, pipe.write, pipe.send, lambda: pipe.room)
    try:
        listeners = [Listener(desk, port) for port in settings.listen]
    except OSError as error:
        print(f"tap: cannot listen: {error}", file=sys.stderr)
        return 1
    await pipe.open()
    tasks = [asyncio.create_task(listener.run()) for listener in listeners]
    gc.collect()
    gc.freeze()  # what was imported stays: the collector need not look at it again
    pipe.send({"type": "ready"})
    if why := await pipe.ended:
        print(f"tap: {why}", file=sys.stderr)
    for task in tasks:
        task.cancel()
    return 1 if why else 0
