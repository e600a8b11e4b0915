"""`kill -9` of each process while a submission is graded: it recovers by itself, and there is exactly one verdict."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.chaos.staying import write_staying_exercise
from tests.product import Product, eventually

CLAIMED_AGAIN = 30.0  #: seconds after the kill


@pytest.fixture(scope="module")
def soty() -> Iterator[Product]:
    with tempfile.TemporaryDirectory(prefix="soty-killed-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        write_staying_exercise(place / "exercises", check_seconds=4)
        with Product(place / "home", SOTY_EXERCISES_DIR=str(place / "exercises")) as product:
            yield product


@pytest.fixture(scope="module")
def api(soty: Product) -> Iterator[httpx.Client]:
    token = soty.cli("users", "add", "anna", "--role", "learner", "--token")
    with soty.api(token.splitlines()[-1]) as client:
        yield client


def hand_in(api: httpx.Client, key: str) -> str:
    """Hand in the starter; the submission's id."""
    answer = api.post("/exercises/echo/submissions", json={"files": {}}, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def look(api: httpx.Client, submission_id: str) -> dict[str, Any]:
    answer = api.get(f"/submissions/{submission_id}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def job(soty: Product, submission_id: str) -> tuple[str, int, int, int]:
    """State, fence, faults and lost leases of the one job of a submission."""
    with closing(sqlite3.connect(soty.home / "db" / "soty.sqlite3")) as file:
        rows = file.execute("SELECT state, fence, faults, lost FROM jobs WHERE subject_id = ?", (submission_id,)).fetchall()
    assert len(rows) == 1, rows
    return rows[0]


def verdict(api: httpx.Client, submission_id: str, within: float = 120.0) -> dict[str, Any]:
    return eventually(
        "a verdict",
        lambda: (found := look(api, submission_id))["status"] in ("graded", "errored") and found,
        within,
        every=0.25,
    )


def checking(api: httpx.Client, submission_id: str) -> bool:
    return look(api, submission_id)["progress"]["check"] == "first"


def no_grading_sandbox_is_left(soty: Product) -> bool:
    with closing(sqlite3.connect(soty.home / "db" / "soty.sqlite3")) as file:
        (count,) = file.execute("SELECT count(*) FROM sandboxes WHERE purpose = 'grading' AND state <> 'gone'").fetchone()
    return count == 0


@pytest.mark.engine("embedded")
@pytest.mark.parametrize("process", ["worker", "web", "live", "sandboxd"])
def test_a_grading_survives_the_death_of_any_process(soty: Product, api: httpx.Client, process: str) -> None:
    """K08, K19: killed in the middle of the checks."""
    submission_id = hand_in(api, f"kill {process}")
    eventually("the checks run", lambda: checking(api, submission_id), within=180, every=0.2)

    assert soty.kill(process)
    killed_at = time.monotonic()

    hit = process in ("worker", "sandboxd")
    if hit:
        eventually("it is claimed again", lambda: job(soty, submission_id)[1] > 1, within=CLAIMED_AGAIN, every=0.1)
        print(f"{process}: claimed again after {time.monotonic() - killed_at:.1f} s")
    found = verdict(api, submission_id)
    assert (found["status"], found["verdict"], found["score"]) == ("graded", "passed", 100)
    state, fence, faults, lost = job(soty, submission_id)
    assert (state, fence) == ("done", 2 if hit else 1)
    assert (faults, lost) == {"worker": (0, 1), "sandboxd": (1, 0)}.get(process, (0, 0))
    assert hand_in(api, f"kill {process}") == submission_id  # the same request again is the same submission
    eventually("no sandbox of a grading is left", lambda: no_grading_sandbox_is_left(soty), within=60, every=0.2)


@pytest.mark.engine("embedded")
def test_all_processes_at_once(soty: Product, api: httpx.Client) -> None:
    """K20 without the reboot: everything dies in the same moment and comes back."""
    submission_id = hand_in(api, "kill all")
    eventually("the checks run", lambda: checking(api, submission_id), within=180, every=0.2)
    for process in ("sandboxd", "worker", "live", "web"):
        soty.kill(process)
    found = verdict(api, submission_id)
    assert found["verdict"] == "passed"
    assert job(soty, submission_id)[0] == "done"
    eventually("no sandbox of a grading is left", lambda: no_grading_sandbox_is_left(soty), within=60, every=0.2)
