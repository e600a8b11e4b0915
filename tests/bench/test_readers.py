"""Goal 11: what grading costs those who read.

Run with `./test bench -s`: prints medians of one run, both sides in turn; needs the images of the test run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median, quantiles

import httpx

from app.content.exercise import Exercise, load_exercise
from app.settings import Settings
from tests.bench.conftest import people
from tests.bench.handing_in import graded, product, reference
from tests.bench.test_pages import LESSON, tell
from tests.product import TOP, Product, eventually

ROUNDS, SECONDS, READS_PER_SECOND = 3, 8.0, 20


def read_for(url: str, cookies: Sequence[str]) -> float:
    """Milliseconds within which 95 of 100 readers have their lesson; they come at an even pace, signed in."""
    taken = []
    began = time.monotonic()
    with httpx.Client() as client:
        for number in range(int(SECONDS * READS_PER_SECOND)):
            time.sleep(max(0.0, began + number / READS_PER_SECOND - time.monotonic()))
            asked = time.monotonic()
            answer = client.get(url, headers={"Cookie": cookies[number % len(cookies)]})
            taken.append((time.monotonic() - asked) * 1000)
            assert answer.status_code == 200
    return quantiles(taken, n=20)[-1]


@contextmanager
def continuous_grading(soty: Product, tokens: Sequence[str], exercise: Exercise) -> Iterator[list[int]]:
    """As many gradings at any time as there are tokens; the list gets one entry for each verdict."""
    over, verdicts = threading.Event(), list[int]()

    def go_on(token: str) -> None:
        with soty.api(token) as api:
            while not over.is_set():
                graded(api, exercise.id, reference(exercise), every=0.25)
                verdicts.append(1)

    with ThreadPoolExecutor(len(tokens)) as pool:
        going = [pool.submit(go_on, token) for token in tokens]
        try:
            with soty.api(tokens[0]) as api:
                place = f"/exercises/{exercise.id}/submissions"
                eventually("checks run", lambda: any(s["status"] == "grading" for s in api.get(place).json()["submissions"]))
            yield verdicts
        finally:
            over.set()
    for one in going:
        one.result()


def test_readers_while_two_gradings_run() -> None:
    """Goal 11: a lesson's p95 while gradings run, against that of an idle product."""
    exercise = load_exercise(TOP / "exercises" / "g1-greeter")
    idle, busy, verdicts = [], [], 0
    with product() as soty:
        tokens, cookies = people(Settings(home=soty.home), 60, 50)
        read_for(soty.url + LESSON, cookies)
        for _ in range(ROUNDS):
            idle.append(read_for(soty.url + LESSON, cookies))
            with continuous_grading(soty, tokens[50:52], exercise) as done:
                busy.append(read_for(soty.url + LESSON, cookies))
            verdicts += len(done)
    print(f"\nlesson, signed in, p95 of {SECONDS * READS_PER_SECOND:.0f}: idle {median(idle):.1f} ms, while two gradings "
          f"run {median(busy):.1f} ms (load {os.getloadavg()[0]:.1f}, medians of {ROUNDS}, {verdicts} verdicts)")  # fmt: skip
    found = median(b / a for a, b in zip(idle, busy, strict=True))
    tell("lesson p95 while grading / idle", found, 2.5, found <= 2.5)
