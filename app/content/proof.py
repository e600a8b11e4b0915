"""`proof.json`: the record that an exercise's checks tell right from wrong. Without a good one the exercise is not offered.

It says which solutions were tried, on which content and by which grader, and what came of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.errors import Conflict

PROOF_FORMAT = 2  #: goes up when a proof must show more than before; older ones no longer count
REFERENCE_RUNS = 10  #: on a machine that does nothing else
STRESS_RUNS = 20  #: on a machine whose every core is busy


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one wrong or different solution.

    Attributes:
        ok: it was judged as it must be.
        fails: ids of the checks that it failed, in the exercise's order; `automatic` ones were stopped at the first.
        expected: ids that it must fail; empty where passing, or any failure, is expected.
        why: for `ok: false`, one English sentence.
        features: what was characteristic of its traffic, to recognise the same mistake in a learner's run.
        seconds: from launch to verdict, all tries together.
    """

    ok: bool
    fails: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    why: str = ""
    features: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof.

    Attributes:
        content: `Exercise.content_hash` that was tried.
        platform: `grader_version` that judged.
        proved_at: UTC, ISO 8601, whole seconds.
        reference_runs: times the reference ran, and `reference_passed` times it passed.
        stress_runs: times it ran while every core was busy with something else, and `stress_passed` times it passed.
        automatic: solutions that are wrong for every exercise, made by the platform.
        seconds: of the whole proof.
        usual_seconds: median of the reference's quiet runs, from launch to verdict.
    """

    exercise: str
    content: str
    platform: str
    proved_at: str
    engine: str
    reference_runs: int
    reference_passed: int
    stress_runs: int = 0
    stress_passed: int = 0
    accepted: Mapping[str, Tried] = field(default_factory=dict)
    starter: Tried = field(default_factory=lambda: Tried(False))
    mutants: Mapping[str, Tried] = field(default_factory=dict)
    automatic: Mapping[str, Tried] = field(default_factory=dict)
    seconds: float = 0.0
    usual_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Everything was tried often enough and judged as it must be."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What was not, one English sentence each."""
        found = [
            *_short("the reference", self.reference_passed, self.reference_runs, REFERENCE_RUNS),
            *_short("the reference on a busy machine", self.stress_passed, self.stress_runs, STRESS_RUNS),
        ]
        groups = {"accepted": self.accepted, "mutant": self.mutants, "automatic": self.automatic}
        tried = [("starter", self.starter)]
        tried += [(f"{kind} {name}", one) for kind, group in groups.items() for name, one in group.items()]
        return (*found, *(f"{name}: {one.why or 'was not tried'}" for name, one in tried if not one.ok))

    def to_json(self) -> str:
        """The text of `proof.json`: stable order, one key a line."""
        return json.dumps({"format": PROOF_FORMAT, "ok": self.ok, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not a proof of the present format.
        """
        try:
            data = json.loads(text)
            if (number := data.pop("format")) != PROOF_FORMAT:
                raise ValueError(f"it has format {str(number)[:10]}, and what is needed is format {PROOF_FORMAT}")
            data.pop("ok")
            for name in ("accepted", "mutants", "automatic"):
                data[name] = {key: _tried(value) for key, value in data[name].items()}
            return cls(**{**data, "starter": _tried(data["starter"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is damaged: {error!r}") from error


def _short(who: str, passed: int, runs: int, needed: int) -> list[str]:
    if passed < runs:
        return [f"{who} passed {passed} of {runs} runs"]
    return [f"{who} ran {runs} times, and {needed} are needed"] if runs < needed else []


def _tried(data: Mapping[str, Any]) -> Tried:
    return Tried(
        bool(data["ok"]), tuple(data["fails"]), tuple(data["expected"]), str(data["why"]), tuple(data["features"]),
        float(data["seconds"]),
    )  # fmt: skip


class NotProven(Conflict):
    """This exercise is not offered now: its checks are not proven."""

    code = "not-proven"


def proof_path(folder: Path) -> Path:
    """Where the record of the exercise in `folder` lies."""
    return folder / "proof.json"


def read_proof(folder: Path, content: str) -> tuple[Proof | None, tuple[str, ...]]:
    """The record of an exercise, if it can be read, and why the exercise is unproven; nothing where it is proven.

    Args:
        content: the hash of its files as they are now.
    """
    try:
        proof = Proof.from_json(proof_path(folder).read_text("utf-8"))
    except FileNotFoundError:
        return None, ("it has never been proved",)
    except (OSError, ValueError) as error:
        return None, (f"proof.json does not count: {error}",)
    if proof.content != content:
        return proof, ("its files have changed since the proof",)
    return proof, proof.problems
