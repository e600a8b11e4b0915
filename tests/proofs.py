"""Proofs on paper: small exercises of tests are offered without anybody having tried their solutions."""

from __future__ import annotations

from pathlib import Path

from app.content.exercise import Exercise, load_exercise
from app.content.proof import REFERENCE_RUNS, STRESS_RUNS, Proof, Tried, proof_path
from app.grading.version import grader_version
from app.settings import CHECKOUT


def offered(folder: Path) -> Exercise:
    """The exercise in `folder` with a proof of its present files, which says that everything was judged as it must be."""
    exercise = load_exercise(folder)
    definition = exercise.definition
    proof = Proof(
        exercise.id, exercise.content_hash, grader_version(CHECKOUT / "sandboxes"), "2026-01-01T00:00:00+00:00", "embedded",
        REFERENCE_RUNS, REFERENCE_RUNS, STRESS_RUNS, STRESS_RUNS,
        accepted=dict.fromkeys(definition.accepted, Tried(True)),
        starter=Tried(True, tuple(definition.starter_fails), tuple(definition.starter_fails)),
        mutants={mutant.id: Tried(True, tuple(mutant.killed_by), tuple(mutant.killed_by)) for mutant in definition.mutants},
        automatic={"empty": Tried(True, (definition.checks.items[0].id,))},
    )  # fmt: skip
    proof_path(folder).write_text(proof.to_json(), "utf-8")
    return load_exercise(folder)
