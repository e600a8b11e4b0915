"""What isolation costs. Run with `./test bench -s`; needs the images of the test run."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.sandbox.engines.embedded import EmbeddedEngine
from tests.bench.test_pages import tell
from tests.pods import SERVER, anyio_backend, embedded, home, launched, sandbox, spawner, store, web  # noqa: F401
from tests.product import eventually, free_port

ROUNDS = 5


def accepts(port: int) -> bool:
    """As the pods' readiness probe asks."""
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


def bare_pair(folder: Path) -> float:
    """Seconds until two services, started as plain processes, both accept."""
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        began = time.monotonic()
        for port in ports:
            main = folder / f"main-{port}.py"
            main.write_text(SERVER.replace("8000", str(port)))
            process = stack.enter_context(subprocess.Popen([sys.executable, main], stdout=subprocess.DEVNULL, cwd=folder,
                                                           env={**os.environ, "SOTY_SERVICE": "web"}))  # fmt: skip
            stack.callback(process.kill)
        for port in ports:
            eventually("it accepts", lambda port=port: accepts(port), every=0.005)
        return time.monotonic() - began


@pytest.mark.anyio
async def test_a_pod_of_two_services_against_the_bare_services(embedded: EmbeddedEngine, tmp_path: Path) -> None:  # noqa: F811
    """Launch until ready, both kinds in turn."""
    pods, bare, ends = [], [], []
    for _ in range(ROUNDS + 1):
        spec = sandbox(web("one"), web("two"))
        began = time.monotonic()
        await launched(embedded, spec)
        pods.append(time.monotonic() - began)
        began = time.monotonic()
        await embedded.stop(spec.id)
        ends.append(time.monotonic() - began)
        bare.append(bare_pair(tmp_path))
    pods, bare, ends = pods[1:], bare[1:], ends[1:]  # the first round warms
    print(f"\nload {os.getloadavg()[0]:.1f}, medians of {ROUNDS}: pod ready {statistics.median(pods) * 1000:.0f} ms, "
          f"stopped {statistics.median(ends) * 1000:.0f} ms, bare {statistics.median(bare) * 1000:.0f} ms")  # fmt: skip
    found = statistics.median(pod / plain for pod, plain in zip(pods, bare, strict=True))
    tell("pod of two services / bare services", found, 2.5, found <= 2.5)
