"""*I am stuck*: the ladder as a page, and as the panel of the workbench; objections to checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.model import User
from app.content.exercise import Exercise
from app.errors import NotFound
from app.learning.objections import MAX_MESSAGE, ObjectionView
from app.trainer.ladder import Ladder, ladder
from app.web.attempts import AttemptPage, attempt_page
from app.web.context import cases, user, viewer, visitor
from app.web.exercises import find_exercise
from app.web.forms import Form
from app.web.language import lang
from app.web.report_view import Link, lesson_link, mistake_words

blueprint = Blueprint("stuck", __name__)


@dataclass(frozen=True)
class StuckPage:
    """What the ladder's templates need.

    Attributes:
        attempt: the one that it is about: as asked for, else the newest that has ended; None when there is none.
        waiting: a newer one has not ended yet.
        mistake: a recognised mistake as a sentence; empty when none is.
        question: what the author asks whoever fails the check; empty when there is none.
        lesson: what teaches it.
        objections: made in this exercise, newest first.
    """

    exercise: Exercise
    ladder: Ladder
    attempt: AttemptPage | None
    waiting: bool
    mistake: str
    question: str
    lesson: Link | None
    objections: Sequence[ObjectionView]

    @property
    def failed(self) -> list[tuple[str, str]]:
        """Id and title of each check that one may object to."""
        report = self.attempt.view.report if self.attempt else None
        checks = report.checks if report else ()
        return [(check.id, check.title.get(lang())) for check in checks if check.status != "passed"]


@blueprint.get("/exercises/<exercise_id>/stuck")
def page(exercise_id: str) -> str:
    """The ladder. `?kind=&attempt=`: of this attempt instead of the newest; `?check=`: chosen in the form."""
    found = find_exercise(exercise_id)
    return render_template("exercises/stuck.html", page=stuck_page(found, visitor()), exercise=found, limit=MAX_MESSAGE)


@blueprint.get("/exercises/<exercise_id>/stuck/part")
def part(exercise_id: str) -> str:
    """The ladder alone."""
    return _part(find_exercise(exercise_id), visitor())


@blueprint.post("/exercises/<exercise_id>/stuck/hints/<int:number>")
def hint(exercise_id: str, number: int) -> Any:
    """Open the next hint from the ladder."""
    found, person = find_exercise(exercise_id), user()
    cases().hints.open(person.id, found.id, number)
    if request.headers.get("HX-Request"):
        hints = cases().hints.opened(person.id, found.id)
        beside = render_template("exercises/_hints.html", exercise=found, definition=found.definition, hints=hints, beside=True)
        return _part(found, person) + beside
    return redirect(url_for("stuck.page", exercise_id=found.id, _anchor="ladder-hints"), 303)


@blueprint.post("/exercises/<exercise_id>/objections")
def object_to(exercise_id: str) -> Any:
    """Send the evidence to the instructors."""
    found, person = find_exercise(exercise_id), user()
    form = Form("kind", "attempt", "check", "message")
    cases().objections.make(person.id, form["kind"], form["attempt"], form["check"], form["message"])
    if request.headers.get("HX-Request"):
        return _part(found, person)
    flash(_("Sent. The answer will appear here."), "ok")
    return redirect(url_for("stuck.page", exercise_id=found.id, _anchor="ladder-ask"), 303)


@blueprint.get("/objections/<objection_id>")
def objection(objection_id: str) -> str:
    """An objection of one's own and its answer, also once the exercise has left the course."""
    person = user()
    found = cases().objections.own(person.id, objection_id)
    cases().objections.seen(person.id, [found])
    exercise = cases().catalog.exercise(found.exercise_id)
    return render_template("exercises/objection.html", one=found, exercise=exercise)


def _part(exercise: Exercise, person: User | None) -> str:
    return render_template("exercises/_ladder.html", page=stuck_page(exercise, person), exercise=exercise, limit=MAX_MESSAGE)


def stuck_page(exercise: Exercise, person: User | None) -> StuckPage:
    """Gather the ladder of a person, or of a guest, who has no attempts; answers to objections are seen once it is shown."""
    attempts = cases().workbenches.attempts(person.id, exercise.id) if person else ()
    attempt = _asked(exercise) if person and request.args.get("attempt") else None
    newest = next((one for one in attempts if one.settled), None)
    if attempt is None and newest:
        attempt = attempt_page(newest.kind, newest.id, viewer())
    diagnosis = attempt.diagnosis if attempt else None
    opened = cases().hints.opened(person.id, exercise.id) if person else []
    found = ladder(exercise.definition, attempt.view.report if attempt else None, diagnosis, opened)
    objections = cases().objections.of(person.id, exercise.id) if person else ()
    if person:
        cases().objections.seen(person.id, objections)
    question = found.look or (diagnosis.text if diagnosis and diagnosis.kind == "check" else None)
    return StuckPage(
        exercise=exercise,
        ladder=found,
        attempt=attempt,
        waiting=bool(attempts) and not attempts[0].settled,
        mistake=mistake_words(diagnosis),
        question=question.get(lang()) if question else "",
        lesson=lesson_link(found.lesson, cases().catalog),
        objections=objections,
    )


def _asked(exercise: Exercise) -> AttemptPage | None:
    """The attempt that the address names; one of somebody else, or of another exercise, does not exist here."""
    kind = "run" if request.args.get("kind") == "run" else "submission"
    found = attempt_page(kind, request.args["attempt"][:20], viewer())
    if found.view.exercise_id != exercise.id or found.view.user_id != user().id:
        raise NotFound(code="no-such-attempt")
    return found if found.view.settled else None
