"""Pages of mentors, instructors and admins: what the class does, what runs, whether the content is sound, who may do what."""

from __future__ import annotations

from typing import Any

from flask import redirect, url_for

from app.accounts.model import Role
from app.web.admin import audit, content, learners, objections, running, submissions, users
from app.web.admin.blueprint import blueprint
from app.web.context import require

__all__ = ["audit", "blueprint", "content", "learners", "objections", "running", "submissions", "users"]


@blueprint.get("/")
def index() -> Any:
    """The first tab."""
    require(Role.MENTOR)
    return redirect(url_for("admin.learners"))
