"""Everything that was handed in, and one submission with its files and report."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound

from app.accounts.model import Role
from app.grading.model import SubmissionState, Verdict
from app.grading.submissions import SubmissionView
from app.learning.classroom import SubmissionFilter
from app.web.admin.blueprint import blueprint, page_number
from app.web.attempts import attempt_page
from app.web.context import cases, require, viewer
from app.web.forms import Form


@blueprint.get("/submissions")
def submissions() -> str:
    """Newest first; filters by exercise, verdict and learner stay in the address."""
    require(Role.MENTOR)
    wanted = asked_filter()
    found = cases().classroom.submissions(wanted, page=page_number())
    learner = cases().accounts.users.get(wanted.user_id) if wanted.user_id else None
    return render_template(
        "admin/submissions.html", found=found, wanted=wanted, learner=learner, catalog=cases().catalog, verdicts=verdict_words()
    )


@blueprint.get("/submissions/<submission_id>")
def submission(submission_id: str) -> str:
    """Files and report, as the learner sees it."""
    require(Role.MENTOR)
    attempt = attempt_page("submission", submission_id, viewer())
    sent = attempt.view.files if isinstance(attempt.view, SubmissionView) else {}
    files = {path: coloured(path, text) for path, text in sent.items()}
    owner = cases().accounts.users.get(attempt.view.user_id)
    return render_template("admin/submission.html", attempt=attempt, exercise=attempt.exercise, owner=owner, files=files)


@blueprint.post("/submissions/<submission_id>/retry")
def retry(submission_id: str) -> Any:
    """Grade an errored submission again."""
    actor = require(Role.INSTRUCTOR)
    Form()
    cases().retry.now(submission_id)
    cases().accounts.audit.note(actor.id, "submission.retry", "submission", submission_id)
    flash(_("It is in the queue again."), "ok")
    return redirect(url_for("admin.submission", submission_id=submission_id), 303)


def asked_filter() -> SubmissionFilter:
    """The filters of the address; a word that is no verdict filters nothing."""
    word = request.args.get("verdict", "")
    state = {"queued": SubmissionState.QUEUED, "grading": SubmissionState.GRADING, "errored": SubmissionState.ERRORED}.get(word)
    return SubmissionFilter(
        exercise_id=request.args.get("exercise", "")[:48], user_id=request.args.get("learner", "")[:20], state=state,
        verdict={"passed": Verdict.PASSED, "failed": Verdict.FAILED}.get(word),
    )  # fmt: skip


def verdict_words() -> dict[str, str]:
    """What `?verdict=` may be, and how it is called."""
    return {
        "passed": _("passed"), "failed": _("not passed yet"), "errored": _("our fault"), "queued": _("queued"),
        "grading": _("being checked"),
    }  # fmt: skip


def coloured(path: str, text: str) -> Markup:
    """A file with the course's Pygments classes; Pygments escapes every piece of the text."""
    try:
        lexer = get_lexer_for_filename(path)
    except ClassNotFound:
        lexer = TextLexer()
    return Markup(highlight(text, lexer, HtmlFormatter(nowrap=True)))  # noqa: S704 - escaped by Pygments
