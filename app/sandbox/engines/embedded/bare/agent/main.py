"""Entry point of the agent: PID 1 of the pod, uid 0 of its user namespace."""

from __future__ import annotations

import os
import signal
import socket
import sys

from ..loop import Loop
from .requests import Desk


def main() -> None:
    """Runs until the engine or the spawner is gone; the pod ends with it."""
    control_fd, lifeline = int(sys.argv[1]), int(sys.argv[2])
    for fd in (control_fd, lifeline):
        os.set_inheritable(fd, False)
    os.set_blocking(2, False)
    os.umask(0o022)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = socket.socket(fileno=control_fd)
    control.setblocking(False)
    loop = Loop()
    signal.signal(signal.SIGTERM, lambda *_: loop.quit())
    loop.watch(lifeline, loop.quit)
    Desk(loop, control)
    os._exit(loop.run())
