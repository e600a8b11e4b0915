"""*Run 10 times*: a series of trials as its page and its fragment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app.accounts import limits
from app.content.exercise import Exercise
from app.grading.model import Verdict
from app.grading.series import SeriesView
from app.web.context import cases, user, viewer
from app.web.exercises import find_exercise
from app.web.forms import Form
from app.web.timeline import Timeline, running

blueprint = Blueprint("series", __name__)


@dataclass(frozen=True)
class SeriesPage:
    """What the templates need. `exercise` is None once it has left the course."""

    view: SeriesView
    exercise: Exercise | None

    @property
    def sentence(self) -> str:
        """How far it is, or what came of it."""
        view = self.view
        if not view.settled:
            return self._so_far
        if not view.ended:
            return str(_("Ended before the first run."))
        counted = str(_("Passed %(passed)s of %(all)s.", passed=view.count(Verdict.PASSED), all=view.ended))
        told = [str(_("Run %(number)s failed: seed %(seed)s.", number=run.number, seed=run.seed)) for run in view.failures]
        if ours := view.count(Verdict.ERRORED):
            told.append(str(ngettext("%(num)s was not judged: our fault.", "%(num)s were not judged: our fault.", ours)))
        return " ".join([counted, *told])

    @property
    def _so_far(self) -> str:
        """How many have ended, and how; what has not happened is not counted."""
        view, counted = self.view, []
        if passed := view.count(Verdict.PASSED):
            counted.append(ngettext("%(num)s passed", "%(num)s passed", passed))
        if failed := len(view.failures):
            counted.append(ngettext("%(num)s failed", "%(num)s failed", failed))
        if ours := view.count(Verdict.ERRORED):
            counted.append(ngettext("%(num)s not judged (our fault)", "%(num)s not judged (our fault)", ours))
        ended = ngettext("%(num)s of %(wanted)s has ended", "%(num)s of %(wanted)s have ended", view.ended, wanted=view.wanted)
        return f"{ended}: {', '.join(counted)}." if counted else f"{ended}."

    @property
    def going_on(self) -> Timeline | None:
        """The run that goes on, check by check; None between runs."""
        run = next((run for run in self.view.runs if run.verdict is None), None)
        return running(run.progress, self.exercise, self.view.only) if run else None

    @property
    def verdict(self) -> str:
        """For the tab's title and icon: `failed` when a run failed, `passed` when none did; empty while it goes on."""
        if not self.view.settled:
            return ""
        if self.view.failures:
            return "failed"
        return "passed" if self.view.count(Verdict.PASSED) else "errored"


@blueprint.post("/exercises/<exercise_id>/series")
@limits.rated(limits.SUBMIT)
def start(exercise_id: str) -> Any:
    """Begin one with the saved files; an unticked box is absent."""
    found, person = find_exercise(exercise_id), user()
    form = Form("stop_at_failure")
    files = cases().drafts.open(person.id, found.id).files
    begun = cases().series.start(person.id, found.id, files, stop_at_failure=form["stop_at_failure"] == "yes")
    return redirect(url_for("series.page", series_id=begun.id), 303)


@blueprint.get("/series/<series_id>")
def page(series_id: str) -> str:
    """A series: its progress, or what came of it."""
    return _render(series_id, "exercises/series.html")


@blueprint.get("/series/<series_id>/part")
def part(series_id: str) -> str:
    """The part of it that changes."""
    return _render(series_id, "exercises/_series.html")


@blueprint.post("/series/<series_id>/stop")
def stop(series_id: str) -> Any:
    """Begin no further run."""
    Form()
    cases().series.stop(user().id, series_id)
    return redirect(url_for("series.page", series_id=series_id), 303)


def _render(series_id: str, template: str) -> str:
    view = cases().series.view(viewer(), series_id)
    exercise = cases().catalog.exercise(view.exercise_id)
    return render_template(template, series=SeriesPage(view, exercise), exercise=exercise)
