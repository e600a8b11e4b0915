"""The exercise that docs/authors.md builds from nothing, built from that page and tried: what it promises is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from app.content.exercise import Exercise, load_exercise
from app.grading.blank import make_exercise
from app.grading.local import LocalGrader
from tests.graders import grader_over
from tests.product import TOP

pytestmark = pytest.mark.engine("embedded")
BLOCK = re.compile(r"^```\w+ (?P<file>\S+)(?: \((?P<base>\S+)\))?\n(?P<text>.*?)^```$", re.M | re.S)


def built(folder: Path) -> Exercise:
    """Lay the page's blocks over a new exercise: YAML replaces keys, checks are appended, a file on another one is a change."""
    home = make_exercise(folder, "my-first")
    for block in BLOCK.finditer((TOP / "docs/authors.md").read_text("utf-8")):
        path, text = home / block["file"], block["text"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "exercise.yaml":
            values = {**yaml.safe_load(path.read_text("utf-8")), **yaml.safe_load(text)}
            path.write_text(yaml.safe_dump(values, allow_unicode=True), "utf-8")
        elif path.name == "checks.py":
            path.write_text(path.read_text("utf-8") + "\n\n" + text, "utf-8")
        elif block["base"]:
            path.write_text(changed((home / block["base"]).read_text("utf-8"), text), "utf-8")
        else:
            path.write_text(text, "utf-8")
    adds = (home / "reference/server.py").read_text("utf-8").replace("number * 2", "number + 2")
    (home / "mutants/adds/server.py").write_text(adds, "utf-8")
    return load_exercise(home)


def changed(text: str, change: str) -> str:
    """The lines that begin with `- ` become those that begin with `+ `."""
    old, new = ("".join(line[2:] + "\n" for line in change.splitlines() if line[0] == sign) for sign in "-+")
    assert text.count(old) == 1, old
    return text.replace(old, new)


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Exercise:
    return built(tmp_path_factory.mktemp("exercises"))


@pytest.fixture(scope="module")
def grader(exercise: Exercise, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGrader]:
    with grader_over(tmp_path_factory.mktemp("grader"), exercise.folder.parent) as grader:
        yield grader


@pytest.mark.parametrize("solution", ["reference", "accepted/threads"])
def test_right_solutions_pass(exercise: Exercise, grader: LocalGrader, solution: str) -> None:
    files = exercise.solution() if solution == "reference" else exercise.accepted(solution)
    report = grader.grade(exercise, files)
    assert report.verdict == "passed", [(c.id, c.status, c.message) for c in report.checks if c.status != "passed"]


@pytest.mark.parametrize("mutant", ["adds", "forgets", "answers-first", "asks-first"])
def test_each_mistake_is_seen_by_the_checks_that_are_there_for_it(exercise: Exercise, grader: LocalGrader, mutant: str) -> None:
    named = next(one for one in exercise.definition.mutants if one.id == mutant).killed_by
    report = grader.grade(exercise, exercise.solution(f"mutants/{mutant}"))
    failed = {check.id: check.message for check in report.checks if check.status == "failed"}
    assert set(named) <= set(failed), [(c.id, c.status, c.message) for c in report.checks]
    assert report.verdict == "failed"
    if mutant == "answers-first":
        assert "потеряно 1 из 2 запросов" in failed["survives"].ru.seen
        assert "lost 1 of 2 requests" in failed["survives"].en.seen
