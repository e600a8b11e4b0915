"""Is the content sound, and can this machine run it: faults with path and line, proofs, images, the engine."""

from __future__ import annotations

from flask import render_template

from app.accounts.model import Role
from app.errors import PlatformError
from app.grading.proof import proof_state
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require, settings


@blueprint.get("/content")
def content() -> str:
    """Everything about the content on one page."""
    require(Role.INSTRUCTOR)
    catalog = cases().catalog
    proofs = [(exercise, proof_state(exercise, settings().images_dir)) for exercise in catalog.exercises.exercises.values()]
    try:
        images, doctor = cases().sandboxd.images().images, cases().sandboxd.doctor()
    except PlatformError as error:
        return render_template("admin/content.html", catalog=catalog, proofs=proofs, images=(), doctor=None, trouble=error)
    return render_template("admin/content.html", catalog=catalog, proofs=proofs, images=images, doctor=doctor, trouble=None)
