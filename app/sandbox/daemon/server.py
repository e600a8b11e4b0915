"""The running daemon: sockets, signals, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc

from app.errors import PlatformError, Unavailable
from app.sandbox import sandbox_pb2_grpc as rpc
from app.sandbox.daemon.byte_socket import ByteSocket
from app.sandbox.daemon.loop_lag import TOO_LATE, LoopLag
from app.sandbox.daemon.metrics import SandboxdMetrics
from app.sandbox.daemon.preparation import Preparation
from app.sandbox.daemon.runs import Runs
from app.sandbox.daemon.sandboxes import Sandboxes
from app.sandbox.daemon.service import ErrorsToStatuses, Sandboxd, Watcher
from app.sandbox.daemon.services import Services
from app.sandbox.daemon.sockets import APP_GROUP, LIVE_GROUP, private_socket
from app.sandbox.first_of import first_of
from app.sandbox.grants import TicketVerifier

log = logging.getLogger(__name__)
MAX_MESSAGE = 4 << 20
MAX_CALLS = 512
END_SECONDS = 9.0

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_metadata_size", 16384),
    ("grpc.so_reuseport", 0),
)


async def serve(
    sandboxes: Sandboxes, images: Preparation, verifier: TicketVerifier, folder: Path, *, debug: bool = False
) -> None:
    """Run until SIGTERM or SIGINT, then end every sandbox and return within ten seconds.

    Args:
        debug: name the callback that blocks the loop.

    Raises:
        Unavailable: the engine has ended; only a new process can start another one.
    """
    loop = asyncio.get_running_loop()
    loop.set_debug(debug)
    loop.slow_callback_duration = TOO_LATE
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with running(sandboxes, images, verifier, folder):
        log.info("sandboxd is ready: %d exercises, %s", len(sandboxes.exercises), sandboxes.admission.capacity)
        await first_of(stopping.wait(), sandboxes.engine_gone.wait())
    if sandboxes.engine_gone.is_set():
        raise Unavailable("The engine has ended.", code="engine-gone")


@asynccontextmanager
async def running(sandboxes: Sandboxes, images: Preparation, verifier: TicketVerifier, folder: Path) -> AsyncIterator[None]:
    """The daemon at work: clocks, image preparation and sockets; on the way out every sandbox is ended.

    Args:
        verifier: of the tickets that `live` passes on.
        folder: where the sockets go: `control.sock` for web and worker, `watch.sock` and `bytes.sock` for live.
    """
    lag = LoopLag()
    watching = asyncio.create_task(lag.watch(), name="loop lag")
    await sandboxes.start()
    images.start()
    try:
        async with AsyncExitStack() as sockets:
            services = Services(sandboxes)
            control = Sandboxd(sandboxes, services, Runs(sandboxes), SandboxdMetrics(sandboxes, lag))
            streams = ByteSocket(sandboxes, services, verifier)
            await sockets.enter_async_context(_listening(folder / "control.sock", APP_GROUP, control=control))
            await sockets.enter_async_context(_listening(folder / "watch.sock", LIVE_GROUP, watcher=Watcher(sandboxes)))
            await sockets.enter_async_context(streams.listening(folder / "bytes.sock", LIVE_GROUP))
            yield
    finally:
        watching.cancel()
        await _end(sandboxes, images)


async def _end(sandboxes: Sandboxes, images: Preparation) -> None:
    try:
        async with asyncio.timeout(END_SECONDS):
            await asyncio.gather(images.close(), sandboxes.close())
            await sandboxes.engine.close()
    except (TimeoutError, PlatformError) as error:
        # What the engine started dies with this process.
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
