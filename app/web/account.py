"""Signing up, in and out; one's own profile, password, API tokens and signed-in browsers."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts import limits
from app.accounts.faults import FieldsInvalid
from app.accounts.users import WrongPassword
from app.errors import Forbidden, TooMany
from app.web import sessions
from app.web.context import cases, settings, user, visitor
from app.web.forms import Form
from app.web.language import lang, remember_language
from app.web.paths import local_path

blueprint = Blueprint("account", __name__)
THEMES = ("system", "light", "dark")


@blueprint.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Any:
    """Name and password, then back to where the person came from."""
    if request.method != "POST" and visitor():
        return redirect(local_path(request.args.get("next")))
    form = Form("name", "password", "next", start=request.args)
    if request.method != "POST":
        return render_template("account/sign_in.html", form=form)
    try:
        person = cases().accounts.door.enter(
            form["name"], form["password"], sessions.address(), sessions.known_browser(form["name"])
        )
    except (WrongPassword, TooMany) as error:
        form.trouble = error
        return render_template("account/sign_in.html", form=form), *sessions.refusal(error)
    return sessions.begin(redirect(local_path(form["next"]), 303), person)


@blueprint.route("/sign-up", methods=["GET", "POST"])
@limits.rated(limits.SIGN_UP)
def sign_up() -> Any:
    """A new account; whoever signs up is signed in and goes on where they were."""
    form = Form("name", "email", "password", "next", start=request.args)
    if request.method != "POST":
        return render_template("account/sign_up.html", form=form, open=settings().sign_up == "open")
    if settings().sign_up != "open":
        raise Forbidden("An instructor creates the accounts here.", code="sign-up-closed")
    try:
        person = cases().accounts.users.add(form["name"], form["password"], email=form["email"], language=lang())
    except FieldsInvalid as error:
        return render_template("account/sign_up.html", form=form.blame(error), open=True), 422
    return sessions.begin(redirect(local_path(form["next"]), 303), person)


@blueprint.get("/sign-up/name")
def name_check() -> Any:
    """What is wrong with a name, while it is being typed; an empty fragment when nothing is."""
    return render_template("account/name_check.html", fault=cases().accounts.users.name_fault(request.args.get("name", "")))


@blueprint.post("/sign-out")
def sign_out() -> Any:
    """End this browser's sign-in."""
    Form()
    return sessions.end(redirect(url_for("start.index"), 303))


@blueprint.route("/profile", methods=["GET", "POST"])
def profile() -> Any:
    """One's own name, e-mail, language and theme."""
    person, form = user(), Form("name", "email", "language", "theme", start=_own())
    if request.method != "POST":
        return _page(form)
    try:
        cases().accounts.users.edit(person.id, name=form["name"], email=form["email"], language=form["language"])
    except FieldsInvalid as error:
        return _page(form.blame(error)), 422
    response = remember_language(redirect(url_for("account.profile"), 303), form["language"])
    flash(_("Saved."), "ok")
    return _remember_theme(response, form["theme"])


@blueprint.route("/profile/password", methods=["GET", "POST"])
def password() -> Any:
    """A new password; every other browser is signed out."""
    person, form = user(), Form("present", "password", "next", start=request.args)
    if request.method != "POST":
        return render_template("account/password.html", form=form)
    accounts = cases().accounts
    try:
        accounts.limits.take(limits.PASSWORD, person.id)
        accounts.users.change_password(person.id, form["present"], form["password"])
    except FieldsInvalid as error:
        return render_template("account/password.html", form=form.blame(error)), 422
    flash(_("The password is changed. Other browsers are signed out."), "ok")
    return sessions.begin(redirect(local_path(form["next"], url_for("account.profile")), 303), person)


@blueprint.post("/profile/tokens")
def add_token() -> Any:
    """A new API token, shown this once."""
    form = Form("label")
    try:
        token = cases().accounts.tokens.create(user().id, form["label"])
    except FieldsInvalid as error:
        return _page(label=form.blame(error)), 422
    return _page(token=token)


@blueprint.post("/profile/tokens/<token_id>/revoke")
def revoke_token(token_id: str) -> Any:
    """End an API token."""
    Form()
    cases().accounts.tokens.revoke(user().id, token_id)
    flash(_("The token is revoked."), "ok")
    return redirect(url_for("account.profile", _anchor="tokens"), 303)


@blueprint.post("/profile/sign-outs")
def sign_out_others() -> Any:
    """Sign out every browser but this one."""
    Form()
    cases().accounts.sign_ins.end_others(user().id, g.sign_in.token_hash)
    flash(_("All other browsers are signed out."), "ok")
    return redirect(url_for("account.profile", _anchor="browsers"), 303)


def _own() -> dict[str, str]:
    person, theme = user(), request.cookies.get("theme", "")
    return {
        "name": person.name, "email": person.email or "", "language": person.language,
        "theme": theme if theme in THEMES else THEMES[0],
    }  # fmt: skip


def _page(form: Form | None = None, label: Form | None = None, token: str = "") -> str:
    """The profile with its three forms; `token` is shown this once."""
    person, accounts = user(), cases().accounts
    return render_template(
        "account/profile.html", form=form or Form.blank(_own()), label=label or Form.blank({"label": ""}), token=token,
        tokens=accounts.tokens.of(person.id), browsers=accounts.sign_ins.count(person.id),
    )  # fmt: skip


def _remember_theme(response: Any, theme: str) -> Any:
    if theme in ("light", "dark"):
        response.set_cookie("theme", theme, max_age=sessions.AGE, samesite="Lax")
    else:
        response.delete_cookie("theme")
    return response
