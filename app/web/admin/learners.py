"""Learners with their progress, and one learner's page."""

from __future__ import annotations

from typing import cast, get_args

from flask import render_template, request

from app.accounts.model import Role
from app.learning.classroom import LearnerOrder, SubmissionFilter
from app.web.admin.attention import concerns
from app.web.admin.blueprint import blueprint, may, page_number
from app.web.context import cases, require
from app.web.start import course_comb


@blueprint.get("/learners")
def learners() -> str:
    """Everybody; `?search=` narrows, `?order=` sorts."""
    require(Role.MENTOR)
    search, catalog, order = request.args.get("search", "")[:64].strip(), cases().catalog, asked_order()
    found = cases().classroom.learners(search=search, order=order, page=page_number())
    return render_template(
        "admin/learners.html", found=found, search=search, order=order, lessons=len(catalog.lessons),
        exercises=len(catalog.exercises.exercises), concerns=list(concerns()) if may(Role.INSTRUCTOR) else (),
    )  # fmt: skip


@blueprint.get("/learners/<user_id>")
def learner(user_id: str) -> str:
    """One learner: course, exercises, submissions."""
    require(Role.MENTOR)
    person, catalog = cases().accounts.users.get(user_id), cases().catalog
    home = cases().homes.of(person.id)
    found = cases().classroom.submissions(SubmissionFilter(user_id=person.id), page=page_number(), size=25)
    drawing = course_comb(catalog, home.shares, "")
    return render_template("admin/learner.html", learner=person, home=home, found=found, drawing=drawing, catalog=catalog)


def asked_order() -> LearnerOrder:
    """`?order=`; by name unless it is one of the known ones."""
    asked = request.args.get("order", "")
    return cast(LearnerOrder, asked) if asked in get_args(LearnerOrder) else "name"
