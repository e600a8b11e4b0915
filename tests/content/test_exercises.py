"""Every exercise: complete, proven on its present content, and a sample of it tried anew in real sandboxes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2, text_format

from app.content.exercise import Exercise, ExerciseCatalog, load_exercise
from app.content.exercise_faults import exercise_faults
from app.grading.always_wrong import always_wrong
from app.grading.blank import make_exercise
from app.grading.local import LocalGrader
from app.grading.proof import proof_state
from app.grading.prover import AT_ONCE, Outcome, Trial, attempt, trials
from app.settings import CHECKOUT
from tests.content.sampling import present_commit, sample
from tests.graders import grader_over

CATALOG = ExerciseCatalog(CHECKOUT / "exercises")
EXERCISES = list(CATALOG.exercises.values())
CONTRACTS = sorted((CHECKOUT / "exercises").glob("*/checks/*.proto"))
SAMPLE = sample(EXERCISES, present_commit())

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
    assert exercise_faults(exercise) == []


@each_exercise
def test_an_exercise_is_proven_on_its_present_content(exercise: Exercise) -> None:
    state = proof_state(exercise, CHECKOUT / "sandboxes")
    assert state.state != "unproven", f"{'; '.join(state.reasons)}: run ./soty exercise prove {exercise.id}"
    assert state.proof
    assert set(state.proof.automatic) == set(always_wrong(exercise))
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


@pytest.fixture(scope="module")
def outcomes(grader: LocalGrader, request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str, str], Future[Outcome]]]:
    """What comes of those that were selected, tried side by side."""
    items = [
        item for item in request.session.items if getattr(item, "originalname", "") == "test_its_checks_tell_right_from_wrong"
    ]
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sample")
    found = {}
    for item in items:
        exercise, trial = item.callspec.params["exercise"], item.callspec.params["trial"]
        found[exercise.id, trial.kind, trial.name] = pool.submit(attempt, grader, exercise, trial)
    yield found
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize(
    ("exercise", "trial"),
    SAMPLE.chosen,
    ids=lambda value: value.id if isinstance(value, Exercise) else re.sub(r"\W+", "-", f"{value.kind}-{value.name}"),
)
def test_its_checks_tell_right_from_wrong(
    exercise: Exercise, trial: Trial, outcomes: dict[tuple[str, str, str], Future[Outcome]]
) -> None:
    outcome = outcomes[exercise.id, trial.kind, trial.name].result()
    assert outcome.tried.ok, outcome.tried.why


def test_a_new_exercise_runs_as_it_is_made(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("n")  # a short path: the kernel takes 107 bytes for a socket's
    exercise = load_exercise(make_exercise(place / "exercises", "my-first"))
    with grader_over(place / "home", place / "exercises") as grader:
        for trial in trials(exercise, 1):
            if trial.kind != "automatic":
                outcome = attempt(grader, exercise, trial)
                assert outcome.tried.ok, (trial.name, outcome.tried.why)
