"""Which proofs count: of this content, of this format, tried often enough, with everything judged as it must be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.content.exercise import load_exercise
from app.content.proof import NotProven, Proof, Tried, proof_path
from app.grading.proof import proof_state
from app.settings import CHECKOUT
from tests.desk import write_exercise

IMAGES = CHECKOUT / "sandboxes"


def record(folder: Path, **changed: Any) -> Path:
    """A small exercise whose proof says something else than that all is well; its folder."""
    exercise = write_exercise(folder)
    assert exercise.proof
    proof_path(exercise.folder).write_text(replace(exercise.proof, **changed).to_json(), "utf-8")
    return exercise.folder


def test_a_good_proof_of_these_files_offers_the_exercise(tmp_path: Path) -> None:
    exercise = load_exercise(record(tmp_path))
    assert exercise.offered
    exercise.require_offered()
    assert proof_state(exercise, IMAGES).state == "proven"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reference_passed": 9}, "the reference passed 9 of 10 runs"),
        ({"reference_runs": 3, "reference_passed": 3}, "the reference ran 3 times, and 10 are needed"),
        ({"stress_runs": 0, "stress_passed": 0}, "the reference on a busy machine ran 0 times, and 20 are needed"),
        ({"stress_passed": 19}, "the reference on a busy machine passed 19 of 20 runs"),
        ({"accepted": {"accepted/own": Tried(False, why="fails first")}}, "accepted accepted/own: fails first"),
        ({"starter": Tried(False, why="passes")}, "starter: passes"),
        ({"mutants": {"m1": Tried(False)}}, "mutant m1: was not tried"),
        ({"automatic": {"echo": Tried(False, why="passes (seed 1)")}}, "automatic echo: passes (seed 1)"),
        ({"content": "0" * 64}, "its files have changed since the proof"),
    ],
)
def test_anything_less_withholds_it_and_says_why(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    exercise = load_exercise(record(tmp_path, **changed))
    assert not exercise.offered
    state = proof_state(exercise, IMAGES)
    assert (state.state, state.reasons, state.cure) == ("unproven", (said,), "./soty exercise prove echo")
    with pytest.raises(NotProven) as refused:
        exercise.require_offered()
    assert said not in json.dumps([refused.value.message, refused.value.cure, refused.value.details])  # may name a mutant


def test_a_changed_file_withholds_it_and_a_changed_grader_does_not(tmp_path: Path) -> None:
    home = record(tmp_path, platform="of last year")
    stale = load_exercise(home)
    assert stale.offered
    assert proof_state(stale, IMAGES).state == "stale"
    (home / "mutant" / "main.py").write_text("print('another mistake')\n")
    assert load_exercise(home).unproven == ("its files have changed since the proof",)


def old_format(text: str) -> str:
    return json.dumps({**json.loads(text), "format": 1})


def without_starter(text: str) -> str:
    return json.dumps({key: value for key, value in json.loads(text).items() if key != "starter"})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (old_format, "it has format 1, and what is needed is format 2"),
        (without_starter, "it is damaged: KeyError('starter')"),
        (lambda _: "[]", "it is damaged"),
        (lambda _: "{", "Expecting"),
    ],
    ids=["old", "incomplete", "list", "cut"],
)
def test_a_record_that_cannot_be_read_does_not_count(tmp_path: Path, damage: Callable[[str], str], said: str) -> None:
    home = record(tmp_path)
    proof_path(home).write_text(damage(proof_path(home).read_text("utf-8")), "utf-8")
    exercise = load_exercise(home)
    assert exercise.proof is None
    assert exercise.unproven[0].startswith("proof.json does not count: ")
    assert said in exercise.unproven[0]


def test_no_record_at_all(tmp_path: Path) -> None:
    home = record(tmp_path)
    proof_path(home).unlink()
    assert load_exercise(home).unproven == ("it has never been proved",)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    proof = load_exercise(
        record(tmp_path, mutants={"m1": Tried(True, ("first",), ("first",), "", ("first: timeout",), 1.5)})
    ).proof
    assert proof
    assert Proof.from_json(proof.to_json()) == proof
