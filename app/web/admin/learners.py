"""Learners with their progress, and one learner's page."""

from __future__ import annotations

from flask import render_template, request

from app.accounts.model import Role
from app.learning.classroom import SubmissionFilter
from app.web.admin.blueprint import blueprint, page_number
from app.web.context import cases, require
from app.web.start import course_comb


@blueprint.get("/learners")
def learners() -> str:
    """Everybody, by name; `?search=` narrows."""
    require(Role.MENTOR)
    search = request.args.get("search", "")[:64].strip()
    found = cases().classroom.learners(search=search, page=page_number())
    catalog = cases().catalog
    return render_template(
        "admin/learners.html",
        found=found,
        search=search,
        lessons=len(catalog.lessons),
        exercises=len(catalog.exercises.exercises),
    )


@blueprint.get("/learners/<user_id>")
def learner(user_id: str) -> str:
    """One learner: course, exercises, submissions."""
    require(Role.MENTOR)
    person, catalog = cases().accounts.users.get(user_id), cases().catalog
    home = cases().homes.of(person.id)
    found = cases().classroom.submissions(SubmissionFilter(user_id=person.id), page=page_number(), size=25)
    drawing = course_comb(catalog, home.shares, "")
    return render_template("admin/learner.html", learner=person, home=home, found=found, drawing=drawing, catalog=catalog)
