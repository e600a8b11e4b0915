"""Accounts and roles, and the audit log. Admins only."""

from __future__ import annotations

import secrets
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.faults import FieldsInvalid
from app.accounts.model import Role
from app.errors import InvalidInput
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require
from app.web.forms import Form
from app.web.language import lang


@blueprint.route("/users", methods=["GET", "POST"])
def users() -> Any:
    """All accounts; POST makes one with a one-time password."""
    actor = require(Role.ADMIN)
    form = Form("name", "role", start={"role": Role.LEARNER})
    if request.method != "POST":
        return _page(form)
    if form["role"] not in list(Role):
        raise InvalidInput("There is no such role.", code="unknown-role")
    try:
        person = cases().accounts.users.add(form["name"], secrets.token_urlsafe(24), language=lang())
    except FieldsInvalid as error:
        return _page(form.blame(error)), 422
    if form["role"] != Role.LEARNER:
        cases().accounts.users.set_role(person.id, Role(form["role"]), actor.id)
    password = cases().accounts.users.reset_password(person.id, actor.id)
    return _page(Form.blank({"name": "", "role": Role.LEARNER}), fresh=(person.name, password)), 201


@blueprint.post("/users/<user_id>/role")
def set_role(user_id: str) -> Any:
    """Give another role."""
    actor = require(Role.ADMIN)
    form = Form("role")
    if form["role"] not in list(Role):
        raise InvalidInput("There is no such role.", code="unknown-role")
    person = cases().accounts.users.set_role(user_id, Role(form["role"]), actor.id)
    flash(_("%(name)s has another role now.", name=person.name), "ok")
    return redirect(url_for("admin.users"), 303)


@blueprint.post("/users/<user_id>/password")
def reset_password(user_id: str) -> Any:
    """A one-time password, shown once; its owner must choose a new one."""
    actor = require(Role.ADMIN)
    Form()
    person = cases().accounts.users.get(user_id)
    return _page(
        Form.blank({"name": "", "role": Role.LEARNER}),
        fresh=(person.name, cases().accounts.users.reset_password(user_id, actor.id)),
    )


@blueprint.post("/users/<user_id>/active")
def set_active(user_id: str) -> Any:
    """Close an account, or open it again; nothing of it is deleted."""
    actor = require(Role.ADMIN)
    form = Form("active")
    person = cases().accounts.users.set_active(user_id, form["active"] == "yes", actor.id)
    flash(
        _("%(name)s can sign in again.", name=person.name)
        if person.active
        else _("%(name)s can no longer sign in.", name=person.name),
        "ok",
    )
    return redirect(url_for("admin.users"), 303)


@blueprint.get("/audit")
def audit() -> str:
    """Security-relevant actions, newest first."""
    require(Role.ADMIN)
    before = request.args.get("before", "")
    entries = cases().accounts.audit.newest(int(before) if before.isdigit() and len(before) < 16 else None)
    return render_template("admin/audit.html", entries=entries)


def _page(form: Form, fresh: tuple[str, str] | None = None) -> str:
    return render_template("admin/users.html", form=form, people=cases().accounts.users.all(), roles=list(Role), fresh=fresh)
