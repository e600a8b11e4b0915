"""What the panel says before everything else: what waits for an instructor's hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app.errors import PlatformError
from app.grading.proof import proof_state
from app.web.context import cases, settings

_SECONDS = 0.5  #: a page waits no longer for sandboxd


@dataclass(frozen=True)
class Concern:
    """One sentence and where to act on it. `ours`: it keeps learners waiting now."""

    text: str
    url: str
    ours: bool = True


def concerns() -> Iterator[Concern]:
    """The most urgent first. One statement and one call to sandboxd."""
    owed = cases().classroom.owed()
    if count := owed.verdicts:
        text = ngettext("%(num)s submission has no verdict: grading broke.",
                        "%(num)s submissions have no verdict: grading broke.", count)  # fmt: skip
        yield Concern(text, url_for("admin.submissions", verdict="errored"))
    if count := owed.answers:
        text = ngettext("%(num)s learner says that a check is wrong.", "%(num)s learners say that a check is wrong.", count)
        yield Concern(text, url_for("admin.objections"), ours=False)
    if text := _engine():
        yield Concern(text, url_for("admin.content", _anchor="engine"))
    catalog = cases().catalog
    if count := len(catalog.problems):
        text = ngettext("%(num)s fault withholds something of the course.", "%(num)s faults withhold something of the course.",
                        count)  # fmt: skip
        yield Concern(text, url_for("admin.content"))
    proofs = [proof_state(exercise, settings().images_dir) for exercise in catalog.exercises.exercises.values()]
    if count := sum(found.state == "unproven" for found in proofs):
        text = ngettext("%(num)s exercise is not proven.", "%(num)s exercises are not proven.", count)
        yield Concern(text, url_for("admin.content", _anchor="proofs"), ours=False)


def _engine() -> str:
    try:
        images = cases().sandboxd.images(timeout=_SECONDS).images
    except PlatformError:
        return _("The sandbox service does not answer.")
    broken = [image.name for image in images if image.state == "failed"]
    return _("An image cannot be prepared: %(names)s.", names=", ".join(broken)) if broken else ""
