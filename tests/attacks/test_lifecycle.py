"""Starting, stopping and deleting at the same moment (S17): at most one sandbox of a learner lives, and its end is told."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.errors import PlatformError
from app.sandbox.engines.embedded import EmbeddedEngine, SpawnerHandle
from app.sandbox.model import Purpose
from tests.attacks.corpus import attack
from tests.attacks.range import Range
from tests.pods import alive, launched, processes_below, sandbox
from tests.product import eventually

STARTS = 50
ROUNDS = 15


def start(grader: Range, owner: str, sandbox_id: str = "", purpose: Purpose = Purpose.PRACTICE) -> str:
    """Ask for a sandbox; how it was answered."""
    exercise = grader.victim
    try:
        grader.client.launch(
            sandbox_id or secrets.token_hex(10), exercise_id=exercise.id, content_hash=exercise.content_hash, purpose=purpose,
            owner=owner, files=exercise.solution(),
        )  # fmt: skip
    except PlatformError as error:
        return error.code
    return "started"


def living(grader: Range, owner: str = "") -> list[str]:
    return [one.id for one in grader.client.list(owner=owner).sandboxes if one.state not in ("stopping", "gone")]


def for_everybody(grader: Range, count: int) -> int:
    """The control: as many starts at once of different people are not held back by this rule."""
    with ThreadPoolExecutor(count) as pool:
        answers = Counter(pool.map(lambda number: start(grader, f"person-{number}"), range(count)))
    for sandbox_id in living(grader):
        grader.client.stop(sandbox_id)
    eventually("all are gone", lambda: not grader.client.list().sandboxes, within=20)
    return answers["started"]


@attack("S17", control="for_everybody")
def test_s17_of_fifty_starts_at_once_one_lives(grader: Range) -> None:
    with ThreadPoolExecutor(STARTS) as pool:
        answers = Counter(pool.map(lambda _: start(grader, "greedy"), range(STARTS)))
    assert answers == {"started": 1, "one-sandbox-each": STARTS - 1}
    assert len(living(grader, "greedy")) == 1
    grader.stop(living(grader, "greedy")[0])
    assert for_everybody(grader, 6) == 6


@attack("S17", control="for_everybody")
def test_s17_the_same_start_fifty_times_is_one_start(grader: Range) -> None:
    sandbox_id = secrets.token_hex(10)
    with ThreadPoolExecutor(STARTS) as pool:
        answers = Counter(pool.map(lambda _: start(grader, "doubled", sandbox_id), range(STARTS)))
    assert answers == {"started": STARTS}
    assert living(grader) == [sandbox_id]
    grader.stop(sandbox_id)


@attack("S17", control="for_everybody")
def test_s17_a_stop_at_any_moment_of_a_start_ends_it(grader: Range) -> None:
    draw = random.Random(17)
    for number in range(ROUNDS):
        owner, sandbox_id = f"hasty-{number % 2}", secrets.token_hex(10)
        eventually("the one before is gone", lambda o=owner, s=sandbox_id: start(grader, o, s) == "started", within=10)
        time.sleep(draw.choice((0, 0.02, 0.1, 0.3)) * draw.random())  # any moment of the start
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(grader.client.stop, [sandbox_id] * 4))
        ended = eventually("it is gone", lambda s=sandbox_id: _gone(grader, s), within=10)
        assert ended.reason == "stopped"
    assert not grader.client.list().sandboxes


def pods_below(spawner: SpawnerHandle) -> int:
    return len(alive(processes_below(spawner.process.pid)))


@attack("S17", control="pods_below")
@pytest.mark.anyio
async def test_s17_a_launch_that_is_given_up_at_any_moment_leaves_no_pod(
    embedded: EmbeddedEngine, spawner: SpawnerHandle
) -> None:
    before = pods_below(spawner)
    # The control: while one runs, its pod is seen
    spec = await launched(embedded, sandbox())
    assert pods_below(spawner) > before
    await embedded.stop(spec.id)
    for number in range(40):
        spec = sandbox()
        launching = asyncio.create_task(embedded.launch(spec))
        await asyncio.sleep(number * 0.002)
        await embedded.stop(spec.id)
        await asyncio.gather(launching, return_exceptions=True)
    deadline = time.monotonic() + 5
    while pods_below(spawner) > before:
        assert time.monotonic() < deadline, "pods of launches that were given up"
        await asyncio.sleep(0.02)


def _gone(grader: Range, sandbox_id: str) -> object:
    found = grader.status(sandbox_id)
    return found if found.state == "gone" else None
