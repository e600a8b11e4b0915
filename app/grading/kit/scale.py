"""How slow this sandbox is now, against a quiet machine."""

from __future__ import annotations

import hashlib
import json
import time

from .pipe import Pipe

#: Medians of a prober in an idle sandbox on a machine with two cores of 2.5 GHz; seconds.
QUIET_WORK, QUIET_ANSWER = 0.040, 0.010
SLOWEST = 6.0


def measure(pipe: Pipe) -> float:
    """The factor by which limits are stretched, 1..6: the worse of a piece of work and a question to the platform."""
    begun = time.monotonic()
    _work()
    worked = time.monotonic()
    pipe.call("status")
    answered = time.monotonic()
    factor = max((worked - begun) / QUIET_WORK, (answered - worked) / QUIET_ANSWER)
    return round(min(max(factor, 1.0), SLOWEST), 2)


def _work() -> None:
    values = {f"key-{number}": [number] * 8 for number in range(400)}
    for _ in range(40):
        hashlib.sha256(json.dumps(values).encode()).hexdigest()
