"""One check in a process of its own: what it opened is closed with it, what hangs can be killed, a crash stays alone."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

from ..kit.pipe import SocketPipe
from ..kit.registry import CheckFunction
from ..kit.trial import Kit, Sandbox
from ..kit.waiting import Clock
from ..kit.words import Failed, Text
from .lines import LineReader

MAX_PART = 2000  #: characters of one part of a message

Relay = Callable[[dict[str, Any], float], None]


def start(check_id: str, function: CheckFunction, seed: int, sandbox: Sandbox, scale: float) -> tuple[int, socket.socket]:
    """Fork a process that runs one check; return its id and our end of its pipe."""
    ours, its = socket.socketpair()
    process = os.fork()
    if process == 0:
        ours.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _run(check_id, function, seed, sandbox, scale, its)
    its.close()
    return process, ours


def _run(check_id: str, function: CheckFunction, seed: int, sandbox: Sandbox, scale: float, end: socket.socket) -> NoReturn:
    """Run the check, send how it ended as the last frame, and leave without any clean-up that could hang."""
    pipe = SocketPipe(end)
    result: dict[str, Any] = {"type": "result", "status": "errored"}
    try:
        kit = Kit(check_id, seed, sandbox, pipe, Clock(scale))
        try:
            function(kit)
            result["status"] = "passed"
        finally:
            kit.close()
    except Failed as failure:
        result |= {"status": "failed", "parts": parts(failure)}
    except BaseException as error:  # noqa: BLE001 - whatever a check dies of is told, and is not the learner's fault
        traceback.print_exc()
        result |= {"status": "errored", "why": "".join(traceback.format_exception_only(error)).strip()[-300:]}
    try:
        pipe.send(result)
    finally:
        sys.stderr.flush()
        os._exit(0)


def parts(failure: Failed) -> dict[str, dict[str, str] | None]:
    """The four parts of a failure as they travel; a part that the check did not give is None."""
    found = {"done": failure.done, "expected": failure.expected, "seen": failure.seen, "where": failure.where}
    return {name: asdict(text.cut(MAX_PART)) if text else None for name, text in found.items()}


def follow(ours: socket.socket, deadline: float, relay: Relay) -> dict[str, Any] | None:
    """Relay the frames of a running check until its result.

    Args:
        relay: gets every other frame and the deadline, and answers calls on `ours`.

    Returns:
        The result, or None when the process ended without one.

    Raises:
        TimeoutError: the check's time is over.
    """
    reader = LineReader(ours.fileno())
    while True:
        frame = reader.read(deadline)
        if frame is None or frame.get("type") == "result":
            return frame
        relay(frame, deadline)


def end(process: int) -> None:
    """Make sure that a check's process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def took_too_long(limit: float, begun: float) -> Failed:
    """The failure of a check whose time is over."""
    seconds = time.monotonic() - begun
    return Failed(
        expected=Text(f"проверка успевает за {limit:.0f} с", f"the check is through within {limit:.0f} s"),
        seen=Text(f"за {seconds:.0f} с она не закончилась", f"it was not through after {seconds:.0f} s"),
    )
