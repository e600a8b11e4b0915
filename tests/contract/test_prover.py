"""What a proof leans on: programs that pry and do harm, an end at the first failure, and a machine that is truly busy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.content.exercise import Exercise, load_exercise
from app.grading import always_wrong as programs
from app.grading.always_wrong import always_wrong, leak
from app.grading.blank import make_exercise
from app.grading.busy import busy_cores
from app.grading.local import LocalGrader
from app.grading.prover import Trial, attempt, trials
from tests.graders import grader_over

pytestmark = pytest.mark.engine("embedded")


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Exercise:
    return load_exercise(make_exercise(tmp_path_factory.mktemp("x") / "exercises", "victim"))


@pytest.fixture(scope="module")
def grader(exercise: Exercise, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGrader]:
    with grader_over(tmp_path_factory.mktemp("h"), exercise.folder.parent) as grader:
        yield grader


def automatic(exercise: Exercise, name: str) -> Trial:
    return next(trial for trial in trials(exercise, 1) if (trial.kind, trial.name) == ("automatic", name))


def test_a_program_that_finds_something_is_not_ok_although_it_fails(
    exercise: Exercise, grader: LocalGrader, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given what every service can read, as if only the checks might know it
    monkeypatch.setattr(programs, "_needles", lambda *_: ["localhost"])
    outcome = attempt(grader, exercise, automatic(exercise, "reads-checks"))
    assert outcome.report.verdict == "failed"
    assert outcome.tried.why == "can read what only the checks may know: /etc/hosts"


def test_what_the_checks_know_is_nowhere(exercise: Exercise, grader: LocalGrader) -> None:
    outcome = attempt(grader, exercise, automatic(exercise, "reads-checks"))
    assert outcome.tried.ok, outcome.tried.why
    assert leak(outcome.report) == ""


def test_a_scan_reaches_neither_prober_nor_another_service(exercise: Exercise, grader: LocalGrader) -> None:
    outcome = attempt(grader, exercise, automatic(exercise, "scans"))
    assert outcome.tried.ok, outcome.tried.why
    assert not [line for tail in outcome.report.log_tails.values() for line in tail.splitlines() if line.startswith("scanned")]


def test_a_run_that_ends_at_its_first_failure_says_so_of_the_rest(exercise: Exercise, grader: LocalGrader) -> None:
    report = grader.grade(exercise, exercise.starter, first_failure=True)
    assert [check.status for check in report.checks] == ["failed", "skipped"]
    assert (report.verdict, report.score) == ("failed", 0)
    whole = grader.grade(exercise, exercise.starter)
    assert [check.status for check in whole.checks] == ["failed", "failed"]


def test_programs_are_whole_and_hide_what_they_look_for(exercise: Exercise) -> None:
    solutions = always_wrong(exercise)
    assert {"empty", "constant", "echo", "crashes", "sleeps", "fork-bomb", "floods", "forges", "reads-checks", "scans"} <= set(
        solutions
    )
    for name, files in solutions.items():
        compile(files["server.py"], name, "exec")
        assert "app.grading" not in files["server.py"]
        assert '@check("doubles")' not in files["server.py"]


def test_every_core_is_busy_and_free_again() -> None:
    before = _children()
    with busy_cores() as count:
        mine = _children() - before
        assert count == os.cpu_count()
        assert len(mine) == count
        deadline = time.monotonic() + 20
        while sum(_worked(path) for path in mine) < count * 5 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert sum(_worked(path) for path in mine) >= count * 5, "ticks of work"
    assert not [path for path in mine if path.exists()]


def _children() -> set[Path]:
    return {path for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == os.getpid()}


def _parent(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _worked(path: Path) -> int:
    return int(path.read_text().rpartition(")")[2].split()[11])


def test_a_solution_is_judged_by_its_kind(exercise: Exercise, grader: LocalGrader) -> None:
    right = automatic(exercise, "empty")
    assert attempt(grader, exercise, replace(right, files=exercise.solution())).tried.why.startswith("passes")
