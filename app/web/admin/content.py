"""Is the content sound, and can this machine run it: faults with path and line, proofs, images, the engine."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import render_template
from flask_babel import gettext as _

from app.accounts.model import Role
from app.errors import PlatformError
from app.grading.proof import proof_state
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require, settings

_SECONDS = 3.0  #: a page waits no longer for sandboxd


@blueprint.get("/content")
def content() -> str:
    """Everything about the content on one page."""
    require(Role.INSTRUCTOR)
    catalog = cases().catalog
    proofs = [(exercise, proof_state(exercise, settings().images_dir)) for exercise in catalog.exercises.exercises.values()]
    return render_template("admin/content.html", catalog=catalog, proofs=proofs, moment=datetime.fromisoformat, **engine())


@blueprint.get("/content/engine")
def engine_part() -> str:
    """The engine and the images: the part that changes while images are prepared."""
    require(Role.INSTRUCTOR)
    return render_template("admin/_engine.html", **engine())


def engine() -> dict[str, Any]:
    """Images, the engine's report, and whether sandboxd left one of the questions open."""
    try:
        images = cases().sandboxd.images(timeout=_SECONDS).images
        doctor = cases().sandboxd.doctor(timeout=_SECONDS)
    except PlatformError:
        return {"images": (), "doctor": None, "busy": False, "limits": {}}
    busy = any(image.state in ("missing", "building") for image in images)
    return {"images": images, "doctor": doctor, "busy": busy, "limits": limit_words(doctor.limits)}


def limit_words(limits: Any) -> list[tuple[str, str, str]]:
    """Each limit of the engine: its name, how strong it is (`hard`, `soft`, `none`), and that in words."""
    names = {
        "memory": _("memory"),
        "cpu": _("processor"),
        "pids": _("processes"),
        "disk": _("disk"),
        "log": _("logs"),
        "network": _("network"),
    }
    strengths = {"hard": _("enforced"), "soft": _("watched"), "none": _("not limited")}
    return [(names.get(name, name), str(value), strengths.get(value, str(value))) for name, value in limits.items()]
