"""The list of exercises, the workbench of one, and what came of submissions and runs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import limits
from app.accounts.model import Role
from app.content.exercise import Exercise
from app.content.proof import NotProven
from app.errors import NotFound
from app.learning.drafts import DraftChanged
from app.web import exercise_words as words
from app.web.attempts import AttemptPage, attempt_page
from app.web.context import cases, user, viewer, visitor
from app.web.headers import style_nonce
from app.web.language import lang
from app.web.proof_words import proof_day, proof_figures
from app.web.start import clock
from app.web.workbench_page import bench_facts, file_tabs, proof_of, script_texts, service_facts

blueprint = Blueprint("exercises", __name__)
blueprint.app_context_processor(
    lambda: {
        "words": words,
        "clock": clock,
        "script_texts": script_texts,
        "service_facts": service_facts,
        "proof_day": proof_day,
        "proof_figures": proof_figures,
    }
)


@blueprint.get("/exercises")
def index() -> str:
    """Every exercise by module, and how the person stands in it."""
    person = visitor()
    standings = cases().standings.of(person.id) if person else {}
    return render_template("exercises/index.html", modules=cases().catalog.modules, standings=standings, proof_of=proof_of)


@blueprint.get("/exercises/<exercise_id>")
def exercise(exercise_id: str) -> str:
    """The workbench."""
    found, person = find_exercise(exercise_id), visitor()
    teaching = person is not None and Role(person.role).at_least(Role.INSTRUCTOR)
    try:
        found.require_offered()
    except NotProven as error:
        why = f"{'; '.join(map(_, found.unproven))}. {found.proving}"
        error.cure = why if teaching else _("Your files and your history are kept.")
        raise
    work = cases().workbenches.of(person.id, found.id) if person else None
    newest = attempt_page(work.attempts[0].kind, work.attempts[0].id, viewer()) if work and work.attempts else None
    return render_template(
        "exercises/workbench.html", exercise=found, definition=found.definition, work=work, attempt=newest,
        task=cases().catalog.task_html(found.id, lang()), files=file_tabs(found, work.draft.files if work else found.starter),
        facts=bench_facts(found, work, person), nonce=style_nonce(), proof=proof_of(found), teaching=teaching,
        **_sandbox(found),
    )  # fmt: skip


@blueprint.get("/exercises/<exercise_id>/sandbox")
def sandbox_part(exercise_id: str) -> str:
    """The learner's sandbox: state, time left, services. `?active`: the person at the page is at work."""
    found = find_exercise(exercise_id)
    user()
    return render_template("exercises/_sandbox.html", exercise=found, definition=found.definition, **_sandbox(found))


@blueprint.get("/exercises/<exercise_id>/history")
def history_part(exercise_id: str) -> str:
    """Submissions and runs, newest first."""
    found = find_exercise(exercise_id)
    attempts = cases().workbenches.attempts(user().id, found.id)
    return render_template("exercises/_history.html", exercise=found, attempts=attempts)


@blueprint.get("/exercises/<exercise_id>/restore-points")
def points_part(exercise_id: str) -> str:
    """The last restore points."""
    found = find_exercise(exercise_id)
    points = cases().drafts.restore_points(user().id, found.id)
    return render_template("exercises/_points.html", exercise=found, points=points)


@blueprint.post("/exercises/<exercise_id>/files")
@limits.rated(limits.SUBMIT)
def files(exercise_id: str) -> Any:
    """Save, and then submit or run where asked: what the page's form does without scripts."""
    found, person = find_exercise(exercise_id), user()
    texts = {
        path: request.form[f"file:{path}"].replace("\r\n", "\n")
        for path in found.editable_paths
        if f"file:{path}" in request.form
    }
    try:
        draft = cases().drafts.save(person.id, found.id, texts, request.form.get("revision", 0, int))
    except DraftChanged as error:
        return _conflict(found, error)
    if request.form.get("action") == "submit":
        sent = cases().submissions.submit(person.id, found.id, draft.files)
        return redirect(url_for("exercises.submission", submission_id=sent.id), 303)
    flash(_("Saved."), "ok")
    return redirect(url_for("exercises.exercise", exercise_id=found.id), 303)


@blueprint.post("/exercises/<exercise_id>/hints/<int:number>")
def hint(exercise_id: str, number: int) -> Any:
    """Open the next hint."""
    found, person = find_exercise(exercise_id), user()
    cases().hints.open(person.id, found.id, number)
    if request.headers.get("HX-Request"):
        opened = cases().hints.opened(person.id, found.id)
        return render_template("exercises/_hints.html", exercise=found, definition=found.definition, hints=opened)
    return redirect(url_for("exercises.exercise", exercise_id=found.id) + "#hints", 303)


@blueprint.get("/submissions/<submission_id>")
def submission(submission_id: str) -> str:
    """A submission: its progress, or its verdict and report."""
    return _attempt("submission", submission_id, "exercises/attempt.html")


@blueprint.get("/submissions/<submission_id>/part")
def submission_part(submission_id: str) -> str:
    """The part of it that changes."""
    return _attempt("submission", submission_id, "exercises/_attempt.html")


@blueprint.get("/runs/<run_id>")
def run(run_id: str) -> str:
    """A run of the checks on the learner's sandbox, which does not count."""
    return _attempt("run", run_id, "exercises/attempt.html")


@blueprint.get("/runs/<run_id>/part")
def run_part(run_id: str) -> str:
    """The part of it that changes."""
    return _attempt("run", run_id, "exercises/_attempt.html")


def find_exercise(exercise_id: str) -> Exercise:
    """An exercise of the course.

    Raises:
        NotFound: there is none, or it is only planned.
    """
    found = cases().catalog.exercise(exercise_id)
    if found is None:
        planned = cases().catalog.exercise_entry(exercise_id)
        raise NotFound(_("This exercise is planned and not written yet.") if planned else None, code="no-such-exercise")
    return found


def _sandbox(exercise: Exercise) -> dict[str, Any]:
    """The person's sandbox, and what it waits for while there is none."""
    person = visitor()
    touch = "active" in request.args
    sandbox = cases().sandboxes.of_exercise(person.id, exercise.id, touch=touch) if person else None
    running = sandbox is not None and sandbox.state != "gone"
    return {
        "sandbox": sandbox, "running": running, "waits": () if running or not person else cases().images.of(exercise),
        "usual_start": 0.0 if running else cases().workbenches.usual_start(exercise.id),
    }  # fmt: skip


def _attempt(kind: str, identity: str, template: str) -> str:
    attempt: AttemptPage = attempt_page(kind, identity, viewer())
    return render_template(template, attempt=attempt, exercise=attempt.exercise)


def _conflict(exercise: Exercise, error: DraftChanged) -> Any:
    """Both versions side by side; the newer revision is what the next save replaces on purpose."""
    return render_template(
        "exercises/conflict.html", exercise=exercise, theirs=error.theirs, yours=error.details["your_files"]
    ), 409
