"""What every view reaches for: the use cases, the settings, and who is asking."""

from __future__ import annotations

from typing import cast

from flask import current_app, g

from app.accounts.model import Role, User
from app.accounts.viewer import Viewer
from app.errors import Forbidden, SignInNeeded
from app.settings import Settings
from app.wiring.use_cases import UseCases

LONGEST_NAME = 20  #: letters shown in the header


def cases() -> UseCases:
    """The use cases of this application."""
    return cast(UseCases, current_app.extensions["soty"])


def settings() -> Settings:
    """The settings of this application."""
    return cast(Settings, current_app.extensions["soty_settings"])


def visitor() -> User | None:
    """Who is asking, or None for a guest (set by `sessions`, or by the API's bearer token)."""
    return cast("User | None", g.get("user"))


def user() -> User:
    """Who is asking.

    Raises:
        SignInNeeded: a guest.
    """
    person = visitor()
    if person is None:
        raise SignInNeeded
    return person


def require(role: Role) -> User:
    """Who is asking, provided that their role is at least `role`.

    Raises:
        SignInNeeded: a guest.
        Forbidden: a lesser role.
    """
    person = user()
    if not Role(person.role).at_least(role):
        raise Forbidden
    return person


def viewer() -> Viewer:
    """Who is asking, as use cases see them.

    Raises:
        SignInNeeded: a guest.
    """
    person = user()
    return Viewer(person.id, Role(person.role))


def short_name(person: User) -> str:
    """The name as the header has room for it."""
    return person.name if len(person.name) <= LONGEST_NAME else f"{person.name[: LONGEST_NAME - 1]}…"
