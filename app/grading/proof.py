"""The record that an exercise's checks tell right from wrong, and what has become of it since.

`exercises/<id>/proof.json` says which solutions were tried, on which content and by which grader, and what came of each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from app.content.exercise import Exercise
from app.grading.version import grader_version

PROOF_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one wrong or different solution.

    Attributes:
        ok: it was judged as it must be.
        fails: ids of the checks that it failed, in the exercise's order.
        expected: ids that it must fail; empty where passing, or any failure, is expected.
        why: for `ok: false`, one English sentence.
    """

    ok: bool
    fails: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof.

    Attributes:
        content: `Exercise.content_hash` that was tried.
        platform: `grader_version` that judged.
        proved_at: UTC, ISO 8601, whole seconds.
        reference_runs: times the reference ran, and `reference_passed` times it passed.
        automatic: solutions that are wrong for every exercise, made by the platform.
        seconds: of the whole proof.
        usual_seconds: median of the reference's runs, from launch to verdict.
    """

    exercise: str
    content: str
    platform: str
    proved_at: str
    engine: str
    reference_runs: int
    reference_passed: int
    accepted: Mapping[str, Tried] = field(default_factory=dict)
    starter: Tried = field(default_factory=lambda: Tried(False))
    mutants: Mapping[str, Tried] = field(default_factory=dict)
    automatic: Mapping[str, Tried] = field(default_factory=dict)
    seconds: float = 0.0
    usual_seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Everything was judged as it must be."""
        return not self.problems

    @property
    def problems(self) -> tuple[str, ...]:
        """What was not, one English sentence each."""
        found = []
        if self.reference_runs == 0 or self.reference_passed < self.reference_runs:
            found.append(f"the reference passed {self.reference_passed} of {self.reference_runs} runs")
        groups = {"accepted": self.accepted, "mutant": self.mutants, "automatic": self.automatic}
        tried = [("starter", self.starter)]
        tried += [(f"{kind} {name}", one) for kind, group in groups.items() for name, one in group.items()]
        return (*found, *(f"{name}: {one.why or 'was not tried'}" for name, one in tried if not one.ok))

    def mutant_like(self, not_passed: frozenset[str]) -> str | None:
        """The id of the only mutant that fails exactly these checks; None when there is none, or more than one."""
        like = [name for name, one in self.mutants.items() if frozenset(one.fails) == not_passed]
        return like[0] if len(like) == 1 else None

    def to_json(self) -> str:
        """The text of `proof.json`: stable order, one key a line."""
        return json.dumps({"format": PROOF_FORMAT, "ok": self.ok, **asdict(self)}, ensure_ascii=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Proof:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not a proof of a known format.
        """
        try:
            data = json.loads(text)
            if data.pop("format") != PROOF_FORMAT:
                raise ValueError("its format is not known")
            data.pop("ok")
            for name in ("accepted", "mutants", "automatic"):
                data[name] = {key: _tried(value) for key, value in data[name].items()}
            return cls(**{**data, "starter": _tried(data["starter"])})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is damaged: {error!r}") from error


def _tried(data: Mapping[str, Any]) -> Tried:
    return Tried(bool(data["ok"]), tuple(data["fails"]), tuple(data["expected"]), str(data["why"]))


@dataclass(frozen=True, slots=True)
class ProofState:
    """What a proof is worth now.

    Attributes:
        state: `proven`; `stale` when the grader has changed since; `unproven` when there is no good proof of this content.
        reasons: one English sentence each; empty when proven.
        proof: the record, if it can be read.
    """

    state: Literal["proven", "stale", "unproven"]
    reasons: tuple[str, ...] = ()
    proof: Proof | None = None

    @property
    def cure(self) -> str:
        """The command that proves anew; empty when proven."""
        return "" if self.proof is None or self.state == "proven" else f"./soty exercise prove {self.proof.exercise}"


def proof_path(exercise: Exercise) -> Path:
    """Where the record of an exercise lies."""
    return exercise.folder / "proof.json"


def proof_state(exercise: Exercise, images_dir: Path) -> ProofState:
    """Compare the record of an exercise with its content and with the grader as they are now."""
    try:
        proof = Proof.from_json(proof_path(exercise).read_text("utf-8"))
    except FileNotFoundError:
        return ProofState("unproven", ("it has never been proved",))
    except (OSError, ValueError) as error:
        return ProofState("unproven", (f"proof.json cannot be read: {error}",))
    if proof.content != exercise.content_hash:
        return ProofState("unproven", ("its files have changed since the proof",), proof)
    if not proof.ok:
        return ProofState("unproven", proof.problems, proof)
    if proof.platform != grader_version(images_dir):
        return ProofState("stale", ("the kit, the prober, an image or the engine has changed since the proof",), proof)
    return ProofState("proven", (), proof)


def now() -> str:
    """The moment of a proof."""
    return datetime.now(UTC).replace(microsecond=0).isoformat()
