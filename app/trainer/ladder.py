"""The ladder of *I am stuck*: what we think is wrong, where to look, hints one at a time, a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.content.exercise_def import ExerciseDef
from app.content.text import Text
from app.grading.report import CheckReport, Report
from app.trainer.diagnosis import Diagnosis


@dataclass(frozen=True, slots=True)
class Ladder:
    """What somebody who is stuck may climb, rung by rung.

    Attributes:
        diagnosis: what we think is wrong; None without a failed run.
        failed: the check to begin with; None without a failed run.
        look: the author's question to whoever fails it; None where it is the diagnosis already, or was not written.
        lesson: `lesson-id` or `lesson-id#heading`: of the failed check, else of the exercise.
        hints: opened so far, in order.
        next_hint: number of the one that may be opened now, from 1; 0 when all are open.
    """

    diagnosis: Diagnosis | None
    failed: CheckReport | None
    look: Text | None
    lesson: str
    hints: tuple[Text, ...]
    next_hint: int


def ladder(exercise: ExerciseDef, report: Report | None, diagnosis: Diagnosis | None, opened: Sequence[Text]) -> Ladder:
    """The rungs for one learner and one exercise.

    Args:
        report: of the newest run or submission that has ended.
        opened: hints that the learner has opened.
    """
    failed = report.check(diagnosis.check) if report and diagnosis else None
    look = exercise.when_failed.get(failed.id) if failed and diagnosis and diagnosis.kind == "mistake" else None
    return Ladder(
        diagnosis=diagnosis,
        failed=failed,
        look=look,
        lesson=(diagnosis.lesson if diagnosis else "") or exercise.lesson,
        hints=tuple(opened),
        next_hint=len(opened) + 1 if len(opened) < len(exercise.hints) else 0,
    )
