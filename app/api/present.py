"""From use-case values to what the API sends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.api import schemas as s
from app.content.text import Lang
from app.grading.report import CheckReport, Explanation, Report
from app.grading.runs import RunView
from app.grading.submissions import SubmissionView
from app.learning.sandbox_view import SandboxView
from app.trainer.diagnosis import Diagnosis


def submission(view: SubmissionView, diagnosis: Diagnosis | None, lang: Lang) -> s.SubmissionOut:
    """A submission with its report in `lang`."""
    return s.SubmissionOut(**_result(view, diagnosis, lang), score=view.score, position=view.position, files=view.files)


def run(view: RunView, diagnosis: Diagnosis | None, lang: Lang) -> s.RunOut:
    """A trial with its report in `lang`."""
    score = view.report.score if view.report else None
    return s.RunOut(**_result(view, diagnosis, lang), score=score, sandbox=view.sandbox_id, only=list(view.only))


def sandbox(view: SandboxView) -> s.SandboxOut:
    """A sandbox with its services."""
    return s.SandboxOut.model_validate(view)


def timings(report: Report | None, begin: datetime, end: datetime | None) -> dict[str, int]:
    """Milliseconds of every stage, of every check as `check:<id>`, and in total."""
    found = {stage.name: _ms(stage.seconds) for stage in report.stages} if report else {}
    found |= {f"check:{check.id}": _ms(check.seconds) for check in report.checks} if report else {}
    if end is not None:
        found["total"] = _ms((end - begin).total_seconds())
    return found


def _result(view: SubmissionView | RunView, diagnosis: Diagnosis | None, lang: Lang) -> dict[str, Any]:
    report = view.report
    return {
        "id": view.id,
        "exercise": view.exercise_id,
        "status": view.state.value,
        "verdict": view.verdict.value if view.verdict else None,
        "seed": view.seed,
        "created_at": view.created_at,
        "finished_at": view.finished_at,
        "progress": s.ProgressOut.model_validate(view.progress),
        "checks": [_check(check, lang) for check in report.checks] if report else [],
        "diagnosis": _diagnosis(diagnosis, lang),
        "notes": [s.NoteOut(at=n.at, kind=n.kind, text=n.text.get(lang), check=n.check) for n in report.open_notes]
        if report
        else [],
        "log_tails": dict(report.log_tails) if report else {},
        "timings_ms": timings(report, view.created_at, view.finished_at),
        "scale": report.scale if report else None,
        "grader_version": report.grader_version if report else "",
    }


def _diagnosis(found: Diagnosis | None, lang: Lang) -> s.DiagnosisOut | None:
    if found is None:
        return None
    return s.DiagnosisOut(kind=found.kind, text=found.text.get(lang), check=found.check, lesson=found.lesson)


def _check(check: CheckReport, lang: Lang) -> s.CheckOut:
    explanation = check.message.get(lang) if check.message else None
    return s.CheckOut(
        id=check.id,
        status=check.status,
        points=check.points,
        max_points=check.max_points,
        title=check.title.get(lang),
        message=_one_text(explanation),
        explanation=s.ExplanationOut.model_validate(explanation) if explanation else None,
        seconds=check.seconds,
    )


def _one_text(explanation: Explanation | None) -> str:
    if explanation is None:
        return ""
    return "\n".join(filter(None, (explanation.done, explanation.expected, explanation.seen, explanation.where)))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
