"""The part of all proofs that a test run tries: fair to every exercise, other with every commit, within its time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from app.content.exercise import Exercise, load_exercise
from app.settings import CHECKOUT
from tests.content.sampling import sample, seconds
from tests.desk import write_exercise

BASE = ["reference", "starter", "mutant"]


@pytest.fixture
def exercises(tmp_path: Path) -> list[Exercise]:
    """Two small ones, and the blank one with its several kinds."""
    small = [write_exercise(tmp_path, name) for name in ("one", "two")]
    found = [*small, load_exercise(CHECKOUT / "docs" / "blank-exercise")]
    return [replace(one, proof=replace(small[0].proof, usual_seconds=10.0) if small[0].proof else None) for one in found]


def test_each_exercise_gets_the_base_before_any_gets_more(exercises: list[Exercise]) -> None:
    found = sample(exercises, "c0ffee", budget=3 * 3 * 10.0)
    kinds = {one.id: [trial.kind for exercise, trial in found.chosen if exercise.id == one.id] for one in exercises}
    assert kinds == {one.id: BASE for one in exercises}
    assert found.seconds <= 90.0


def test_what_does_not_fit_is_counted(exercises: list[Exercise]) -> None:
    everything = sample(exercises, "c0ffee", budget=1e9)
    some = sample(exercises, "c0ffee", budget=100.0)
    assert not everything.left
    assert len(some.chosen) + some.left.total() == len(everything.chosen)
    assert all("left for other commits" in line for line in some.words())


def test_the_same_commit_tries_the_same_and_over_many_all_is_tried(exercises: list[Exercise]) -> None:
    assert sample(exercises, "a", 120.0).chosen == sample(exercises, "a", 120.0).chosen
    everything = {(one.id, trial.kind, trial.name) for one, trial in sample(exercises, "", 1e9).chosen}
    tried: Counter[tuple[str, str, str]] = Counter()
    for number in range(200):
        tried.update((one.id, trial.kind, trial.name) for one, trial in sample(exercises, f"commit {number}", 120.0).chosen)
    assert set(tried) == everything


def test_time_comes_from_the_proof(exercises: list[Exercise]) -> None:
    (exercise, trial), *_ = sample(exercises, "", 1e9).chosen
    assert seconds(exercise, trial) == 10.0
    assert seconds(replace(exercise, proof=None), trial) == 30.0
