"""Goal 5 and where the time of a verdict goes: by stage, and how many verdicts a minute beside the bare engine.

Run with `./test bench -s`: prints medians of one run, the sides of each ratio in turn; needs the images of the test run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

import anyio
import pytest

from app.content.exercise import Exercise, load_exercise
from app.sandbox.engines.embedded import EmbeddedEngine
from app.sandbox.images.store import ImageStore
from tests.bench.bare import BareGrader
from tests.bench.handing_in import graded, learner, product, reference
from tests.bench.test_pages import tell
from tests.pods import anyio_backend, embedded, home, spawner, store  # noqa: F401
from tests.product import TOP, Product

STAGE_ROUNDS = 3
ROUNDS, GRADINGS = 3, 4
#: Not a part of any other stage; what else a report names happens inside one of these.
STAGES = ("queued", "sandbox", "ready", "attach", "calibrate", "report")
EXERCISES = [exercise for folder in sorted((TOP / "exercises").iterdir()) if (exercise := load_exercise(folder)).offered]


@pytest.fixture(scope="module")
def soty() -> Iterator[Product]:
    with product() as running:
        yield running


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)
def test_where_the_time_of_a_verdict_goes(soty: Product, exercise: Exercise) -> None:
    """The reference of every exercise that is offered, through the API; medians by stage, and what no stage holds."""
    with soty.api(learner(soty, f"stages-{exercise.id}")) as api:
        rounds = [graded(api, exercise.id, reference(exercise)) for _ in range(STAGE_ROUNDS)]
    times = [found["timings_ms"] for _, found in rounds]
    checks = [check["id"] for check in rounds[0][1]["checks"]]
    told = {name: [one[name] for one in times if name in one] for name in times[0] if not name.startswith("check:")}
    told["checks together"] = [sum(one[f"check:{check}"] for check in checks) for one in times]
    told["between and after"] = [
        one["total"] - sum(one.get(name, 0) for name in STAGES) - checked
        for one, checked in zip(times, told["checks together"], strict=True)
    ]
    scale = median(found["scale"] or 0 for _, found in rounds)
    passed = sum(found["verdict"] == "passed" for _, found in rounds)
    print(f"\n{exercise.id}: submit to verdict {median(seconds for seconds, _ in rounds):.2f} s "
          f"(load {os.getloadavg()[0]:.1f}, median of {STAGE_ROUNDS}, scale {scale:.2f}, {passed} passed)")  # fmt: skip
    for name, values in told.items():
        inside = "" if name in STAGES or " " in name or name == "total" else "  "
        print(f"  {inside}{name:{34 - len(inside)}} {median(values):8.0f} ms")
    for check in checks:
        print(f"    check {check:26} {median(one[f'check:{check}'] for one in times):8.0f} ms")


def together(soty: Product, tokens: Sequence[str], exercise: Exercise) -> float:
    """Seconds until as many submissions as there are tokens have their verdicts."""

    def one(token: str) -> None:
        with soty.api(token) as api:
            graded(api, exercise.id, reference(exercise), every=0.25)

    began = time.monotonic()
    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(one, tokens))
    return time.monotonic() - began


@pytest.mark.anyio
async def test_gradings_per_minute_of_one_and_of_two_workers(embedded: EmbeddedEngine, store: ImageStore) -> None:  # noqa: F811
    """Goal 5: the product with one and with two worker processes of one slot each, beside the bare engine."""
    exercise = load_exercise(TOP / "exercises" / "g1-greeter")
    bare = BareGrader(embedded, store, exercise)
    seconds: dict[tuple[str, int], list[float]] = {(side, n): [] for n in (1, 2) for side in ("product", "bare engine")}
    with ExitStack() as stack:
        running = {
            n: await anyio.to_thread.run_sync(stack.enter_context, product(SOTY_WORKERS=str(n), SOTY_WORKER_SLOTS="1"))
            for n in (1, 2)
        }
        tokens = {n: [learner(soty, f"learner-{place}") for place in range(GRADINGS)] for n, soty in running.items()}
        for number in range(ROUNDS + 1):
            for n, soty in running.items():
                took = await anyio.to_thread.run_sync(together, soty, tokens[n], exercise)
                alone = await bare.grade_all(GRADINGS, n, reference(exercise))
                if number:  # the first round warms
                    seconds["product", n].append(took)
                    seconds["bare engine", n].append(alone)
        await anyio.to_thread.run_sync(stack.close)
    print(f"\ngradings of {exercise.id} per minute (load {os.getloadavg()[0]:.1f}, medians of {ROUNDS} rounds "
          f"of {GRADINGS})\n{'':14} {'1 at a time':>12} {'2 at a time':>12}")  # fmt: skip
    for side in ("product", "bare engine"):
        rates = [60 * GRADINGS / median(seconds[side, n]) for n in (1, 2)]
        print(f"{side:14} {rates[0]:12.1f} {rates[1]:12.1f}")
    for n in (1, 2):
        found = median(b / p for p, b in zip(seconds["product", n], seconds["bare engine", n], strict=True))
        tell(f"{n} worker{'s' * (n > 1)} / bare engine, {n} at a time", found, 0.7, found >= 0.7)
