"""The running daemon: sockets, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import grp
import logging
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path

import grpc

from app.errors import PlatformError
from app.sandbox import sandbox_pb2_grpc as rpc
from app.sandbox.daemon.loop_lag import TOO_LATE, LoopLag
from app.sandbox.daemon.metrics import SandboxdMetrics
from app.sandbox.daemon.preparation import Preparation
from app.sandbox.daemon.runs import Runs
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.daemon.service import ErrorsToStatuses, Sandboxd, Watcher

log = logging.getLogger(__name__)
MAX_MESSAGE = 4 << 20
MAX_CALLS = 512
APP_GROUP, LIVE_GROUP = "soty-app", "soty-live"  #: accounts of the callers, where sandboxd is root
END_SECONDS = 9.0
MAX_SOCKET_PATH = 100  #: the kernel takes 107 bytes

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 16384),
    ("grpc.so_reuseport", 0),
)


async def serve(sandboxes: Sandboxes, images: Preparation, folder: Path, *, debug: bool = False) -> None:
    """Run until SIGTERM or SIGINT, then end every sandbox and return within ten seconds.

    Args:
        folder: where the sockets go: `control.sock`, `watch.sock`.
        debug: name the callback that blocks the loop.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(debug)
    loop.slow_callback_duration = TOO_LATE
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    lag = LoopLag()
    watching = asyncio.create_task(lag.watch(), name="loop lag")
    await sandboxes.start()
    images.start()
    try:
        async with AsyncExitStack() as sockets:
            runs = Runs(sandboxes)
            control = Sandboxd(sandboxes, runs, SandboxdMetrics(sandboxes, lag))
            await sockets.enter_async_context(_listening(folder / "control.sock", APP_GROUP, control=control))
            await sockets.enter_async_context(_listening(folder / "watch.sock", LIVE_GROUP, watcher=Watcher(sandboxes)))
            log.info("sandboxd is ready: %d exercises, %s", len(sandboxes.exercises), sandboxes.admission.capacity)
            await stopping.wait()
    finally:
        watching.cancel()
        await _end(sandboxes, images)


async def _end(sandboxes: Sandboxes, images: Preparation) -> None:
    try:
        async with asyncio.timeout(END_SECONDS):
            await asyncio.gather(images.close(), sandboxes.close())
            await sandboxes.engine.close()
    except (TimeoutError, PlatformError) as error:
        # The spawner dies with this process and takes every pod along.
        log.error("the end was not orderly: %r", error)


@asynccontextmanager
async def _listening(
    path: Path, group: str, *, control: Sandboxd | None = None, watcher: Watcher | None = None
) -> AsyncIterator[None]:
    server = grpc.aio.server(interceptors=[ErrorsToStatuses()], options=_OPTIONS, maximum_concurrent_rpcs=MAX_CALLS)
    if control:
        rpc.add_SandboxdServicer_to_server(control, server)
    if watcher:
        rpc.add_WatcherServicer_to_server(watcher, server)
    with private_socket(path, group):
        server.add_insecure_port(f"unix:{path}")
        await server.start()
    try:
        yield
    finally:
        await server.stop(0.3)


@contextmanager
def private_socket(path: Path, group: str) -> Iterator[None]:
    """A socket made inside is ours alone at first, then also the group's (where that account exists and we are root)."""
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
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
