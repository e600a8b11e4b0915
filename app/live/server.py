"""The HTTP side of `live`: who may open a WebSocket at all, and an orderly end."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from app.live.caps import Caps
from app.live.stream import RESTARTS, Stream
from app.live.watching import Watching
from app.sandbox.grants import TicketVerifier

MAX_FRAME = 64 * 1024
PING_SECONDS = 20.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Live:
    """The application.

    Args:
        app_origin: the only origin whose pages may connect; on loopback also its twin under the other name of this machine.
        bytes_socket: of sandboxd.
    """

    def __init__(self, app_origin: str, verifier: TicketVerifier, watching: Watching, bytes_socket: Path) -> None:
        self._origins = origins(app_origin)
        self._verifier = verifier
        self._watching = watching
        self._bytes_socket = bytes_socket
        self._caps = Caps()
        self._sockets: weakref.WeakSet[web.WebSocketResponse] = weakref.WeakSet()

    def application(self) -> web.Application:
        """The aiohttp application; it follows sandboxd while it runs."""
        application = web.Application(middlewares=[refuse_cookies], client_max_size=MAX_FRAME)
        application.add_routes([web.get("/ws", self._serve), web.get("/healthz", self._health)])
        application.cleanup_ctx.append(self._following)
        application.on_shutdown.append(self._say_goodbye)
        return application

    def run(self, host: str, port: int) -> None:
        """Serve until SIGTERM or SIGINT."""
        web.run_app(self.application(), host=host, port=port, print=None, access_log=None, shutdown_timeout=2.0)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        # A page of ours sends an Origin always; whoever leaves it out is no browser page of ours.
        if request.headers.getall("Origin", []) not in self._origins:
            raise web.HTTPForbidden(text="This origin may not connect.")
        socket = web.WebSocketResponse(max_msg_size=MAX_FRAME, heartbeat=PING_SECONDS, compress=False, timeout=5.0)
        await socket.prepare(request)
        self._sockets.add(socket)
        await Stream(socket, self._verifier, self._watching, self._bytes_socket, self._caps).serve()
        return socket

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "sandboxd": self._watching.connected})

    async def _following(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._watching.follow_for_ever(), name="watch")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def _say_goodbye(self, _: web.Application) -> None:
        await asyncio.gather(*(socket.close(code=RESTARTS) for socket in set(self._sockets)), return_exceptions=True)


@web.middleware
async def refuse_cookies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whoever sends a cookie takes us for the app: refuse, so that a session never means anything here."""
    if "Cookie" in request.headers:
        raise web.HTTPBadRequest(text="No cookies here.", headers=_HEADERS)
    try:
        response = await handler(request)
    except web.HTTPException as error:
        error.headers.update(_HEADERS)
        raise
    if not response.prepared:
        response.headers.update(_HEADERS)
    return response


def origins(app_origin: str) -> list[list[str]]:
    """Values of the Origin header that are welcome, each as the list of all such headers of a request."""
    parts = urlsplit(app_origin)
    twin = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(parts.hostname or "")
    welcome = [app_origin] if twin is None else [app_origin, app_origin.replace(parts.hostname or "", twin, 1)]
    return [[origin] for origin in welcome]
