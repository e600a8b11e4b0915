"""How slow this sandbox is now, against a quiet machine."""

from __future__ import annotations

import hashlib
import json
import time
from statistics import median

from .pipe import Pipe

#: Medians of a prober in an idle sandbox on a machine with two cores of 2.5 GHz; seconds.
QUIET_WORK, QUIET_ANSWER = 0.020, 0.010
SLOWEST = 6.0


def slowness(pipe: Pipe) -> float:
    """How many times slower than quiet: the worse of a piece of work and a question to the platform."""
    begun = time.monotonic()
    _work()
    worked = time.monotonic()
    pipe.call("status")
    answered = time.monotonic()
    return max((worked - begun) / QUIET_WORK, (answered - worked) / QUIET_ANSWER)


def measure(pipe: Pipe) -> float:
    """The factor by which limits are stretched now, 1..6: the middle of three looks, so that one hiccup does not count.

    A third look changes nothing when the first two agree that the machine is quiet, or that it is slower than the scale goes.
    """
    looks = [_bounded(slowness(pipe)) for _ in range(2)]
    if looks[0] != looks[1]:
        looks.append(_bounded(slowness(pipe)))
    return round(median(looks), 2)


def overloaded(pipe: Pipe) -> bool:
    """Whether the sandbox is now slower than limits can make up for, in three looks of three: then nothing can be judged."""
    return all(slowness(pipe) > SLOWEST for _ in range(3))


def _bounded(factor: float) -> float:
    return min(max(factor, 1.0), SLOWEST)


def _work() -> None:
    values = {f"key-{number}": [number] * 8 for number in range(400)}
    for _ in range(40):
        hashlib.sha256(json.dumps(values).encode()).hexdigest()
