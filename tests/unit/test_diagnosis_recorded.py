"""Runs of every mutant of g1 and r1 as a real engine recorded them, and of programs that are wrong in no author's way.

`recorded/<exercise>.json`: name -> the checks that failed and the features of the run; those below `others` are no mutants.
They are compared with the proofs of today, and with each other.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.content.proof import Proof
from app.settings import CHECKOUT
from app.trainer.diagnosis import Known, known_mistakes, recognise
from tests.unit.test_diagnosis import EXERCISES

FOLDER = CHECKOUT / "tests" / "unit" / "recorded"
RECORDED: dict[str, dict[str, dict[str, Any]]] = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.iterdir()}


def signature(run: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    return frozenset(run["fails"]), frozenset(run["features"])


def known(exercise: str) -> tuple[Known, ...]:
    """What a proof that had recorded these very runs would know: the mutants, and the starter as a rival."""
    runs = RECORDED[exercise]
    return tuple(Known("" if name == "starter" else name, *signature(run))
                 for name, run in {**runs["mutants"], "starter": runs["others"]["starter"]}.items())  # fmt: skip


@pytest.mark.parametrize("exercise", RECORDED)
def test_a_recorded_run_is_its_mutant_or_nothing(exercise: str) -> None:
    proof = Proof.from_json((EXERCISES[exercise].folder / "proof.json").read_text("utf-8"))
    for today in (known_mistakes(proof), known(exercise)):
        found = {name: recognise(*signature(run), today) for name, run in RECORDED[exercise]["mutants"].items()}
        assert {name: told for name, told in found.items() if told not in (name, "")} == {}


@pytest.mark.parametrize("exercise", RECORDED)
def test_programs_that_do_nothing_of_the_task_are_no_known_mistake(exercise: str) -> None:
    for name, run in RECORDED[exercise]["others"].items():
        assert recognise(*signature(run), known(exercise)) == "", name


def test_two_thirds_of_the_mutants_are_told_apart_without_any_tap() -> None:
    told = [recognise(*signature(run), known(exercise)) == name
            for exercise, runs in RECORDED.items() for name, run in runs["mutants"].items()]  # fmt: skip
    assert len(told) == sum(len(EXERCISES[exercise].definition.mutants) for exercise in RECORDED)
    assert sum(told) >= 23
