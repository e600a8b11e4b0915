"""How fast a well-behaved sandbox answers while another one does its worst: a ratio, measured side by side."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from statistics import quantiles

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.model import Limits, SandboxSpec
from tests.pods import anyio_backend, embedded, home, http_get, idle, launched, sandbox, spawner, store

__all__ = ["anyio_backend", "embedded", "home", "spawner", "store"]

pytestmark = pytest.mark.anyio
REQUESTS = 60
MOST = 2.0  #: times the p95 of a quiet machine
FEW_MS = 0.010  #: below this nobody feels a ratio
BOMBS = {
    "forks": "import os, time\nwhile True:\n    try: os.fork()\n    except OSError: time.sleep(0.01)",
    "spins": "import os\nfor _ in range(7): os.fork() == 0\nwhile True: pass",
    "floods": "import sys\nline = 'x' * 4095 + '\\n'\nwhile True: sys.stdout.write(line)",
}


@pytest.fixture(scope="module")
async def neighbour(embedded: EmbeddedEngine) -> AsyncIterator[SandboxSpec]:
    spec = await launched(embedded, sandbox())
    yield spec
    await embedded.stop(spec.id)


async def p95(engine: EmbeddedEngine, spec: SandboxSpec) -> float:
    """Seconds within which 95 of 100 requests are answered."""
    seconds = []
    for _ in range(REQUESTS):
        begun = time.monotonic()
        assert (await http_get(engine, spec, "web")).startswith("web ")
        seconds.append(time.monotonic() - begun)
    return quantiles(seconds, n=20)[-1]


@pytest.mark.engine("embedded")
@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_neighbour_keeps_its_speed(embedded: EmbeddedEngine, neighbour: SandboxSpec, bomb: str) -> None:
    quiet = await p95(embedded, neighbour)
    spec = await launched(embedded, sandbox(idle("bomb", BOMBS[bomb], limits=Limits(cpus=0.5, pids=40))))
    beside = await p95(embedded, neighbour)
    await embedded.stop(spec.id)
    print(f"{bomb}: p95 {quiet * 1000:.1f} ms alone, {beside * 1000:.1f} ms beside it")
    assert beside < max(quiet * MOST, FEW_MS)
