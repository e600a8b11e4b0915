"""A submission or a run as its page and its fragment show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flask import url_for

from app.accounts.viewer import Viewer
from app.content.exercise import CheckDef, Exercise
from app.grading.runs import RunView
from app.grading.submissions import SubmissionView
from app.web.context import cases
from app.web.report_view import ReportView, report_view


@dataclass(frozen=True)
class AttemptPage:
    """What the templates need. `exercise` is None once it has left the course."""

    kind: Literal["submission", "run"]
    view: SubmissionView | RunView
    exercise: Exercise | None
    report: ReportView | None

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
    def checks(self) -> Iterable[tuple[CheckDef, str, float]]:
        """While it runs: each check that is asked for, its status (empty: waits; `running`) and seconds so far."""
        only = self.view.only if isinstance(self.view, RunView) else ()
        ended = {check.id: check for check in self.view.progress.checks}
        for check in self.exercise.definition.checks.items if self.exercise else ():
            if only and check.id not in only:
                continue
            if done := ended.get(check.id):
                yield check, done.status, done.seconds
            else:
                yield check, "running" if check.id == self.view.progress.check else "", 0.0


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
    report = report_view(view.report, exercise, catalog) if view.report else None
    return AttemptPage("run" if kind == "run" else "submission", view, exercise, report)
