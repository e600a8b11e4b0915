"""What the proof of an exercise is worth now, with the grader that would judge today."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.content.exercise import Exercise
from app.content.proof import Proof
from app.grading.version import grader_version


@dataclass(frozen=True, slots=True)
class ProofState:
    """What a proof is worth now.

    Attributes:
        state: `proven`; `stale` when the grader has changed since; `unproven` when there is no good proof of this content.
        reasons: one English sentence each; empty when proven.
        proof: the record, if it can be read.
        cure: the command that proves anew; empty when proven.
    """

    state: Literal["proven", "stale", "unproven"]
    reasons: tuple[str, ...] = ()
    proof: Proof | None = None
    cure: str = ""


def proof_state(exercise: Exercise, images_dir: Path) -> ProofState:
    """Compare the record of an exercise, as loaded with it, with the grader as it is now."""
    if exercise.unproven:
        return ProofState("unproven", exercise.unproven, exercise.proof, exercise.proving)
    if exercise.proof and exercise.proof.platform != grader_version(images_dir):
        changed = "the kit, the prober, an image or the engine has changed since the proof"
        return ProofState("stale", (changed,), exercise.proof, exercise.proving)
    return ProofState("proven", (), exercise.proof)
