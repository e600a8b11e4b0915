"""Accounts and roles. Admins only."""

from __future__ import annotations

import secrets
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.faults import FieldsInvalid
from app.accounts.model import Role
from app.errors import Conflict, InvalidInput
from app.web.admin.blueprint import blueprint, page_number
from app.web.context import cases, require
from app.web.forms import Form
from app.web.language import lang
from app.web.wording import worded

_EMPTY = {"name": "", "role": Role.LEARNER.value}


@blueprint.route("/users", methods=["GET", "POST"])
def users() -> Any:
    """All accounts; POST makes one with a one-time password."""
    actor = require(Role.ADMIN)
    form = Form("name", "role", start=_EMPTY)
    if request.method != "POST":
        return _page(form)
    role = known_role(form)
    try:
        person = cases().accounts.users.add(
            form["name"], secrets.token_urlsafe(24), role=role, language=lang(), must_change_password=True, actor_id=actor.id
        )
    except FieldsInvalid as error:
        return _page(form.blame(error)), 422
    password = cases().accounts.users.reset_password(person.id, actor.id)
    return _page(Form.blank(_EMPTY), fresh=(person.name, password)), 201


@blueprint.post("/users/<user_id>/role")
def set_role(user_id: str) -> Any:
    """Give another role."""
    actor = require(Role.ADMIN)
    role = known_role(Form("role"))
    try:
        person = cases().accounts.users.set_role(user_id, role, actor.id)
    except Conflict as error:
        return _refused(error)
    flash(_("%(name)s has another role now.", name=person.name), "ok")
    return redirect(url_for("admin.users"), 303)


@blueprint.post("/users/<user_id>/password")
def reset_password(user_id: str) -> Any:
    """A one-time password, shown once; its owner must choose a new one."""
    actor = require(Role.ADMIN)
    Form()
    person = cases().accounts.users.get(user_id)
    password = cases().accounts.users.reset_password(user_id, actor.id)
    return _page(Form.blank(_EMPTY), fresh=(person.name, password))


@blueprint.post("/users/<user_id>/active")
def set_active(user_id: str) -> Any:
    """Close an account, or open it again; nothing of it is deleted."""
    actor = require(Role.ADMIN)
    form = Form("active")
    try:
        person = cases().accounts.users.set_active(user_id, form["active"] == "yes", actor.id)
    except Conflict as error:
        return _refused(error)
    words = _("%(name)s can sign in again.") if person.active else _("%(name)s can no longer sign in.")
    flash(words % {"name": person.name}, "ok")
    return redirect(url_for("admin.users"), 303)


def known_role(form: Form) -> Role:
    """The role that was chosen.

    Raises:
        InvalidInput: there is none of this name.
    """
    if form["role"] not in list(Role):
        raise InvalidInput("There is no such role.", code="unknown-role")
    return Role(form["role"])


def _refused(error: Conflict) -> Any:
    flash(" ".join(filter(None, worded(error))), "bad")
    return redirect(url_for("admin.users"), 303)


def _page(form: Form, fresh: tuple[str, str] | None = None) -> str:
    role = next((one for one in Role if one == request.args.get("role")), None)
    search = request.args.get("search", "")[:64].strip()
    found = cases().classroom.accounts(search=search, role=role, page=page_number())
    return render_template(
        "admin/users.html", form=form, found=found, search=search, chosen=role, roles=list(Role), fresh=fresh
    )
