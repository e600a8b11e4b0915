"""What isolation costs, and where the time of a verdict goes. Run with `./test bench -s`; needs the images of the test run."""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.content.exercise import load_exercise
from app.sandbox.engines.embedded import EmbeddedEngine
from tests.bench.test_pages import tell
from tests.pods import SERVER, anyio_backend, embedded, home, launched, sandbox, spawner, store, web  # noqa: F401
from tests.product import TOP, Product, eventually, free_port

ROUNDS = 5
EXERCISES = ("g1-greeter", "r1-hello-queue")


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


@pytest.fixture(scope="module")
def soty() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="soty-bench-") as folder:
        Path(folder).chmod(0o755)
        with Product(Path(folder) / "home") as product:
            yield product


def graded(api: httpx.Client, exercise_id: str, files: dict[str, str]) -> tuple[float, dict[str, Any]]:
    """Seconds from handing in to the verdict, and the submission."""
    began = time.monotonic()
    sent = api.post(f"/exercises/{exercise_id}/submissions", json={"files": files})
    assert sent.status_code == 202, sent.text
    place = f"/submissions/{sent.json()['id']}"
    found = eventually(
        "a verdict",
        lambda: (seen := api.get(place).json())["status"] in ("graded", "errored") and seen,
        within=180,
        every=0.1,
    )
    return time.monotonic() - began, found


@pytest.mark.parametrize("exercise_id", EXERCISES)
def test_from_handing_in_to_the_verdict(soty: Product, exercise_id: str) -> None:
    """The reference, through the API; medians by stage."""
    exercise = load_exercise(TOP / "exercises" / exercise_id)
    folder = exercise.folder / "reference"
    files = {path: (folder / path).read_text() for path in exercise.editable_paths if (folder / path).exists()}
    token = soty.cli("users", "add", f"anna-{exercise_id[:2]}", "--role", "learner", "--token").splitlines()[-1]
    rounds = []
    with soty.api(token) as api:
        for _ in range(ROUNDS):
            seconds, found = graded(api, exercise_id, files)
            assert found["verdict"] == "passed", found
            rounds.append((seconds, found))
    print(f"\n{exercise_id}: submit to verdict {statistics.median(s for s, _ in rounds):.2f} s "
          f"(load {os.getloadavg()[0]:.1f}, median of {ROUNDS})")  # fmt: skip
    for stage in rounds[0][1]["timings_ms"]:
        print(f"  {stage:24} {statistics.median(f['timings_ms'].get(stage, 0) for _, f in rounds):8.0f} ms")
    for place, check in enumerate(rounds[0][1]["checks"]):
        print(f"  check {check['id']:30} {statistics.median(f['checks'][place]['seconds'] for _, f in rounds):6.2f} s")
