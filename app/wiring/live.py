"""The process `live`."""

from __future__ import annotations

from app import log
from app.live.server import Live
from app.live.watching import Watching
from app.sandbox.grants import TicketVerifier, public_key_path
from app.settings import Settings


def live(settings: Settings) -> None:
    """Run `live` until it is told to stop."""
    log.configure("live", settings.log_level)
    verifier = TicketVerifier(public_key_path(settings.home), settings.live_base_url)
    sockets = settings.sandboxd_dir
    watching = Watching(sockets / "watch.sock")
    Live(settings.base_url, verifier, watching, sockets / "bytes.sock").run(settings.host, settings.live_port)
