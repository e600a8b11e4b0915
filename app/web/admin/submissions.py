"""Everything that was handed in, and one submission with its files and report."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from app.accounts.model import Role
from app.grading.model import SubmissionState, Verdict
from app.learning.classroom import SubmissionFilter
from app.web.admin.blueprint import blueprint, page_number
from app.web.attempts import attempt_page
from app.web.context import cases, require, user, viewer
from app.web.forms import Form

Choice = TypeVar("Choice", bound=StrEnum)


def chosen(kind: type[Choice], name: str) -> Choice | None:
    """The filter `?name=` when it is one of `kind`; anything else filters nothing."""
    return next((value for value in kind if value == request.args.get(name)), None)


@blueprint.get("/submissions")
def submissions() -> str:
    """Newest first; filters by exercise, state, verdict and learner stay in the address."""
    require(Role.MENTOR)
    wanted = SubmissionFilter(
        exercise_id=request.args.get("exercise", "")[:48], user_id=request.args.get("learner", "")[:20],
        state=chosen(SubmissionState, "state"), verdict=chosen(Verdict, "verdict"),
    )  # fmt: skip
    found = cases().classroom.submissions(wanted, page=page_number())
    learner = cases().accounts.users.get(wanted.user_id) if wanted.user_id else None
    return render_template("admin/submissions.html", found=found, wanted=wanted, learner=learner, catalog=cases().catalog)


@blueprint.get("/submissions/<submission_id>")
def submission(submission_id: str) -> str:
    """Files and report, as the learner sees it."""
    require(Role.INSTRUCTOR)
    attempt = attempt_page("submission", submission_id, viewer())
    files = {path: coloured(path, text) for path, text in attempt.view.files.items()}
    owner = cases().accounts.users.get(attempt.view.user_id)
    return render_template("admin/submission.html", attempt=attempt, exercise=attempt.exercise, owner=owner, files=files)


@blueprint.post("/submissions/<submission_id>/retry")
def retry(submission_id: str) -> Any:
    """Grade an errored submission again."""
    require(Role.INSTRUCTOR)
    Form()
    cases().retry.now(submission_id)
    cases().accounts.audit.note(user().id, "submission.retry", "submission", submission_id)
    flash(_("It is in the queue again."), "ok")
    return redirect(url_for("admin.submission", submission_id=submission_id), 303)


def coloured(path: str, text: str) -> Markup:
    """A file with the course's Pygments classes; Pygments escapes every piece of the text."""
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704 - escaped by Pygments
