"""The panel's blueprint, its tabs, and what every list of it needs.

Mentors see how learners stand and what they handed in, with files and reports, and change nothing. Running sandboxes and the
content begin with instructors, accounts with admins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request, url_for
from flask_babel import gettext as _

from app.accounts.model import Role
from app.errors import InvalidInput
from app.web.context import visitor

blueprint = Blueprint("admin", __name__, url_prefix="/panel")


@dataclass(frozen=True)
class Tab:
    """One page of the panel; `current`: it is being shown, or something below it is."""

    name: str
    url: str
    current: bool


@blueprint.context_processor
def tabs() -> dict[str, Any]:
    """The tabs that this person may open, and a maker of links that keep the filters."""
    pages = (
        ("admin.learners", _("Learners"), Role.MENTOR), ("admin.submissions", _("Submissions"), Role.MENTOR),
        ("admin.objections", _("Objections"), Role.INSTRUCTOR),
        ("admin.running", _("Sandboxes"), Role.INSTRUCTOR), ("admin.content", _("Content"), Role.INSTRUCTOR),
        ("admin.users", _("Users"), Role.ADMIN), ("admin.audit", _("Audit log"), Role.INSTRUCTOR),
    )  # fmt: skip
    shown = [
        Tab(name, url_for(endpoint), request.path.startswith(url_for(endpoint)))
        for endpoint, name, least in pages
        if may(least)
    ]
    return {"tabs": shown, "with_query": with_query, "instructs": may(Role.INSTRUCTOR)}


def may(role: Role) -> bool:
    """Whether whoever is asking has at least this role."""
    person = visitor()
    return person is not None and Role(person.role).at_least(role)


def with_query(**changes: object) -> str:
    """This list's address with some of its filters changed; an empty value drops one."""
    listed = request.url_rule is not None and "GET" in (request.url_rule.methods or ())
    query = {**request.args.to_dict(), **{key: str(value) if value else "" for key, value in changes.items()}}
    values: dict[str, Any] = {key: value for key, value in query.items() if value}
    if not listed:  # a form of the users' list was answered with the list itself
        return url_for("admin.users", **values)
    return url_for(str(request.endpoint), **{**(request.view_args or {}), **values})


def page_number() -> int:
    """`?page=`, from 1.

    Raises:
        InvalidInput: not a number in range.
    """
    text = request.args.get("page", "1")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 100_000:
        raise InvalidInput("There is no such page of the list.", code="bad-page")
    return int(text)
