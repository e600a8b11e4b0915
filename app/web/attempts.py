"""A submission or a run as its page and its fragment show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from flask import url_for

from app.accounts.viewer import Viewer
from app.content.exercise import Exercise
from app.grading.report import Report
from app.grading.runs import RunView
from app.grading.submissions import SubmissionView
from app.grading.trace import Trace
from app.trainer.diagnosis import Diagnosis
from app.web import timeline
from app.web.context import cases
from app.web.report_view import ReportView, report_view
from app.web.verdict_words import platform_words


@dataclass(frozen=True)
class AttemptPage:
    """What the templates need. `exercise` is None once it has left the course; `diagnosis` unless checks failed."""

    kind: Literal["submission", "run"]
    view: SubmissionView | RunView
    exercise: Exercise | None
    report: ReportView | None
    diagnosis: Diagnosis | None

    @property
    def url(self) -> str:
        """Its own page."""
        if self.kind == "submission":
            return url_for("exercises.submission", submission_id=self.view.id)
        return url_for("exercises.run", run_id=self.view.id)

    @property
    def fragment_url(self) -> str:
        """The part that changes."""
        if self.kind == "submission":
            return url_for("exercises.submission_part", submission_id=self.view.id)
        return url_for("exercises.run_part", run_id=self.view.id)

    @property
    def position(self) -> int:
        """Place in the queue; 0 when not queued."""
        return self.view.position if isinstance(self.view, SubmissionView) else 0

    @property
    def timeline(self) -> timeline.Timeline:
        """While it runs: stages that have ended, the one that goes on, and each check that is asked for."""
        only = self.view.only if isinstance(self.view, RunView) else ()
        return timeline.running(self.view.progress, self.exercise, only)

    @property
    def platform_words(self) -> str:
        """What a fault of ours means for it."""
        return platform_words(counts=self.kind == "submission")


def attempt_page(kind: str, identity: str, viewer: Viewer) -> AttemptPage:
    """One submission or run; the author has seen the verdict once it is shown.

    Raises:
        NotFound: there is none that the viewer may see.
    """
    catalog = cases().catalog
    if kind == "run":
        view: SubmissionView | RunView = cases().runs.view(viewer, identity)
    else:
        view = cases().submissions.view(viewer, identity)
        if view.settled and view.seen_at is None:
            cases().submissions.seen(viewer.user_id, identity)
    exercise = catalog.exercise(view.exercise_id)
    diagnosis = cases().diagnose(view.report, exercise) if view.report and exercise else None
    report = None
    if view.report:
        traces = _traces(kind, identity, view.report)
        report = report_view(
            view.report, exercise, catalog, diagnosis=diagnosis, traces=traces, counts=isinstance(view, SubmissionView)
        )
    return AttemptPage("run" if kind == "run" else "submission", view, exercise, report, diagnosis)


def _traces(kind: str, identity: str, report: Report) -> tuple[Trace, ...]:
    """Only a failed check shows its messages, so only then are they read."""
    if not any(check.status == "failed" for check in report.checks):
        return ()
    return cases().runs.traces(identity) if kind == "run" else cases().submissions.traces(identity)
