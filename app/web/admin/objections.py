"""Objections to checks: what learners say is wrong, with the evidence, and the instructors' answers."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.model import Role
from app.learning.objections import MAX_MESSAGE
from app.web.admin.blueprint import blueprint, page_number
from app.web.attempts import attempt_page
from app.web.context import cases, require, viewer
from app.web.forms import Form

STATES = {"open": False, "answered": True}


@blueprint.get("/objections")
def objections() -> str:
    """Those that wait, the oldest first; `?state=answered`, or all with `?state=all`."""
    require(Role.INSTRUCTOR)
    state = request.args.get("state", "open")
    found = cases().classroom.objections(answered=STATES.get(state), page=page_number())
    return render_template("admin/objections.html", found=found, chosen=state, catalog=cases().catalog)


@blueprint.get("/objections/<objection_id>")
def objection(objection_id: str) -> str:
    """One of them with the report that it is about, and the form for an answer."""
    require(Role.INSTRUCTOR)
    found = cases().objections.get(objection_id)
    attempt = attempt_page(found.attempt_kind, found.attempt_id, viewer())
    return render_template(
        "admin/objection.html", objection=found, attempt=attempt, exercise=attempt.exercise, limit=MAX_MESSAGE
    )


@blueprint.post("/objections/<objection_id>/answer")
def answer_objection(objection_id: str) -> Any:
    """Answer; the learner reads it where the objection was made."""
    actor = require(Role.INSTRUCTOR)
    cases().objections.answer(actor.id, objection_id, Form("answer")["answer"])
    flash(_("Answered. The learner reads it under “I am stuck”."), "ok")
    return redirect(url_for("admin.objections"), 303)
