"""Which solutions a test run tries anew: another part of all proofs with every commit, within a budget of time.

Every exercise gets its reference, its starter and a mutant before any gets more; then kinds and exercises take turns.
"""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from app.content.exercise import Exercise
from app.content.proof import Tried
from app.grading.prover import AT_ONCE, Kind, Trial, trials
from app.settings import CHECKOUT

BUDGET = 480.0 * AT_ONCE  #: seconds of sandboxes: eight minutes with `AT_ONCE` of them side by side
UNKNOWN = 30.0  #: for one whose time no proof tells
_TURNS: tuple[Kind, ...] = ("accepted", "automatic", "mutant", "mutant")


@dataclass
class Sample:
    """What is tried, and how many of each exercise and kind are left for other commits."""

    chosen: list[tuple[Exercise, Trial]] = field(default_factory=list)
    left: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    def words(self) -> list[str]:
        """What was left out, a line for each exercise."""
        of = {
            name: ", ".join(f"{n} {kind}" for (one, kind), n in sorted(self.left.items()) if one == name)
            for name, _ in self.left
        }
        return [f"{name}: left for other commits: {what}" for name, what in sorted(of.items())]


def present_commit() -> str:
    """The commit that is checked out; empty outside a repository."""
    argv = ["git", "rev-parse", "HEAD"]
    return subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False).stdout.strip()


def sample(exercises: Sequence[Exercise], commit: str, budget: float = BUDGET) -> Sample:
    """As much as the budget allows, the same for the same commit."""
    draw = random.Random(commit)
    turns = [_in_turn(exercise, random.Random(f"{commit}:{exercise.id}")) for exercise in exercises]
    draw.shuffle(turns)
    found = Sample()
    for line in zip_longest(*turns):
        for exercise, trial in filter(None, line):
            cost = seconds(exercise, trial)
            if found.seconds + cost <= budget:
                found.seconds += cost
                found.chosen.append((exercise, trial))
            else:
                found.left[exercise.id, trial.kind] += 1
    return found


def seconds(exercise: Exercise, trial: Trial) -> float:
    """How long it took in the proof."""
    proof = exercise.proof
    if proof is None:
        return UNKNOWN
    tried: dict[str, Tried] = {"starter": proof.starter, **proof.accepted, **proof.mutants, **proof.automatic}
    known = tried.get(trial.name)
    return (known.seconds if known and trial.kind != "reference" else 0.0) or proof.usual_seconds or UNKNOWN


_known: dict[tuple[str, str], list[Trial]] = {}


def _trials(exercise: Exercise) -> list[Trial]:
    """Read once for each content."""
    key = exercise.id, exercise.content_hash
    if key not in _known:
        _known[key] = trials(exercise, 1)
    return _known[key]


def _in_turn(exercise: Exercise, draw: random.Random) -> list[tuple[Exercise, Trial]]:
    by_kind: dict[str, list[Trial]] = {}
    for trial in _trials(exercise):
        by_kind.setdefault(trial.kind, []).append(trial)
    for group in by_kind.values():
        draw.shuffle(group)
    turns = list(_TURNS)
    draw.shuffle(turns)

    def take() -> Iterator[Trial]:
        yield from (by_kind[kind].pop() for kind in ("reference", "starter", "mutant"))
        while any(by_kind.values()):
            for kind in turns:
                if by_kind.get(kind):
                    yield by_kind[kind].pop()

    return [(exercise, trial) for trial in take()]
