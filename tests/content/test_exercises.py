"""Every exercise: complete, proven on its present content, and a sample of it tried anew in real sandboxes."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, text_format

from app.content.exercise import Exercise, ExerciseCatalog, load_exercise
from app.grading.blank import make_exercise
from app.grading.local import LocalGrader
from app.grading.proof import proof_state
from app.grading.prover import Trial, attempt, trials
from app.settings import CHECKOUT
from tests.graders import grader_over

CATALOG = ExerciseCatalog(CHECKOUT / "exercises")
EXERCISES = list(CATALOG.exercises.values())
CONTRACTS = sorted((CHECKOUT / "exercises").glob("*/checks/*.proto"))
SAMPLE = 2  #: mutants of each exercise that are tried in every run

each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.id)


@pytest.fixture(scope="module")
def grader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGrader]:
    with grader_over(tmp_path_factory.mktemp("home")) as grader:
        yield grader


def test_no_exercise_has_a_fault() -> None:
    assert not CATALOG.problems
    assert EXERCISES


@each_exercise
def test_an_exercise_is_complete_for_its_learners(exercise: Exercise) -> None:
    definition = exercise.definition
    checks = {check.id for check in definition.checks.items}
    assert set(definition.when_failed) == checks
    assert all(check.teaches for check in definition.checks.items)
    assert all(service.about for service in definition.sandbox.services.values())
    assert len(definition.accepted) >= 2
    assert definition.mentor_questions
    assert checks <= {name for mutant in definition.mutants for name in mutant.killed_by}, "each check must have a mutant"
    for lang in ("ru", "en"):
        task = exercise.task_text(lang)
        assert all(f"`{path}`" in task for path in exercise.editable_paths)
        assert not any("`" * 3 in hint.get(lang) for hint in definition.hints)


@each_exercise
def test_an_exercise_is_proven_on_its_present_content(exercise: Exercise) -> None:
    state = proof_state(exercise, CHECKOUT / "sandboxes")
    assert state.state != "unproven", f"{'; '.join(state.reasons)}: run ./soty exercise prove {exercise.id}"
    assert state.proof
    assert state.proof.reference_runs >= 10
    assert set(state.proof.mutants) == {mutant.id for mutant in exercise.definition.mutants}


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_a_pinned_contract_is_what_its_proto_says(contract: Path, tmp_path: Path) -> None:
    compiled = tmp_path / "contract.bin"
    argv = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{contract.parent}",
        f"--descriptor_set_out={compiled}",
        contract.name,
    ]
    subprocess.run(argv, check=True, timeout=30)
    pinned = text_format.Parse(contract.with_suffix(".textproto").read_text("utf-8"), descriptor_pb2.FileDescriptorSet())
    assert pinned == descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())


def sample(exercise: Exercise) -> list[Trial]:
    """The reference, an accepted solution, the starter and a few mutants, others with every commit."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout
    draw = random.Random(f"{commit}:{exercise.id}")
    by_kind: dict[str, list[Trial]] = {}
    for trial in trials(exercise, 1):
        by_kind.setdefault(trial.kind, []).append(trial)
    return [
        *by_kind["reference"],
        *by_kind["starter"],
        draw.choice(by_kind["accepted"]),
        *draw.sample(by_kind["mutant"], SAMPLE),
        draw.choice(by_kind["automatic"]),
    ]


@pytest.mark.parametrize(
    ("exercise", "trial"),
    [(exercise, trial) for exercise in EXERCISES for trial in sample(exercise)],
    ids=lambda value: value.id if isinstance(value, Exercise) else re.sub(r"\W+", "-", f"{value.kind}-{value.name}"),
)
def test_its_checks_tell_right_from_wrong(exercise: Exercise, trial: Trial, grader: LocalGrader) -> None:
    outcome = attempt(grader, exercise, trial)
    assert outcome.tried.ok, outcome.tried.why


def test_a_new_exercise_runs_as_it_is_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("n")  # a short path: the kernel takes 107 bytes for a socket's
    exercise = load_exercise(make_exercise(place / "exercises", "my-first"))
    with grader_over(place / "home", place / "exercises") as grader:
        for trial in trials(exercise, 1):
            if trial.kind != "automatic":
                outcome = attempt(grader, exercise, trial)
                assert outcome.tried.ok, (trial.name, outcome.tried.why)
