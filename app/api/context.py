"""Who is asking, and the use cases; set by the application that the API is registered in."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, request

from app.accounts.model import Role, User
from app.accounts.viewer import Viewer
from app.content.text import Lang
from app.errors import Forbidden, SignInNeeded
from app.wiring.use_cases import UseCases


def cases() -> UseCases:
    """The use cases of this application."""
    return cast(UseCases, current_app.extensions["soty"])


def visitor() -> User | None:
    """Who is asking; None for a guest."""
    return cast("User | None", g.get("user"))


def viewer(least: Role = Role.LEARNER) -> Viewer:
    """Who is asking, as use cases see them.

    Raises:
        SignInNeeded: a guest.
        Forbidden: a role below `least`.
    """
    person = visitor()
    if person is None:
        raise SignInNeeded
    if not person.role.at_least(least):
        raise Forbidden
    return Viewer(person.id, person.role)


def language(asked: Lang | None) -> Lang:
    """The language of an answer: as asked, else the person's own, else as `Accept-Language` says, else English."""
    person = visitor()
    if asked is None and person is not None:
        asked = "ru" if person.language == "ru" else "en"
    if asked is None:
        asked = "ru" if request.accept_languages.best_match(["en", "ru"]) == "ru" else "en"
    return asked
