"""Machine words of sandboxes, runs and drafts as people read them."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import LazyString, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as l_

STAGES: Mapping[str, LazyString] = {
    "queued": l_("Waiting for a free place"), "isolation": l_("The sandbox is set up"), "sandbox": l_("A fresh sandbox"),
    "ready": l_("The services start"), "reset": l_("Everything starts anew"), "attach": l_("The checks connect"),
    "calibrate": l_("This machine's pace is measured"), "checks": l_("Checks"), "report": l_("The report is written"),
    "launch": l_("A fresh sandbox"), "done": l_("Done"),
}  # fmt: skip
IMAGE_STEPS: Mapping[str, LazyString] = {
    "waiting": l_("its turn has not come"), "lists": l_("looking up packages"), "download": l_("downloading packages"),
    "unpack": l_("unpacking"), "wheels": l_("installing Python libraries"), "compile": l_("compiling"),
    "finish": l_("finishing"), "ready": l_("ready"),
}  # fmt: skip
ENDINGS: Mapping[str, LazyString] = {
    "stopped": l_("You closed it."), "expired": l_("Its time was up."), "idle": l_("Nobody used it for a while."),
    "replaced": l_("You started the sandbox of another exercise."), "lost": l_("It was lost when the platform restarted."),
    "shutdown": l_("The platform was shut down."), "failed": l_("It could not be started."),
}  # fmt: skip
WAITS: Mapping[str, LazyString] = {
    "image-not-ready": l_("An image is still being prepared; we begin as soon as it is there."),
    "sandboxd-down": l_("The sandbox service does not answer; we go on as soon as it does."),
    "sandboxd-slow": l_("The sandbox service is slow to answer; we keep trying."),
    "content-changed": l_("The exercise is being updated; we begin in a moment."),
    "engine-refused": l_("This machine cannot isolate sandboxes right now; whoever runs it was told."),
    "engine-busy": l_("All places are taken; we keep trying."),
    "lease-lost": l_("The worker was restarted; we grade it again."),
}  # fmt: skip
POINTS: Mapping[str, LazyString] = {
    "reset": l_("before a reset"), "submit": l_("submitted"), "run": l_("checked"), "restore": l_("before a restore"),
    "conflict": l_("replaced by another tab"),
}  # fmt: skip


def stage_words(name: str) -> str:
    """`isolation`, or a service of its own: `service:rabbitmq`, `rabbitmq`."""
    if known := STAGES.get(name):
        return str(known)
    return _("%(service)s starts", service=name.removeprefix("service:"))


def wait_words(reason: str) -> str:
    """Why something has not begun; a general sentence for what has no words of its own."""
    return str(WAITS.get(reason) or _("Something of ours is not ready; we try again by ourselves."))


def ending_words(reason: str) -> str:
    """Why a sandbox is gone; empty when there is nothing to say."""
    return str(ENDINGS.get(reason, ""))


def image_step(step: str) -> str:
    """What an image's preparation does."""
    return str(IMAGE_STEPS.get(step, step))


def point_words(reason: str) -> str:
    """Why a restore point was made."""
    return str(POINTS.get(reason, reason))


def seconds_words(seconds: float) -> str:
    """A wait for people: `3 s`, `2 min`."""
    if seconds < 90:
        return _("%(count)s s", count=max(1, round(seconds)))
    return _("%(count)s min", count=round(seconds / 60))


def exact_seconds(seconds: float) -> str:
    """A measured time: `0.42 s`, `12.3 s`."""
    digits = f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"
    return _("%(count)s s", count=digits.replace(".", _(".")))


def place_words(position: int) -> str:
    """A place in a queue."""
    return ngettext("You are next in line.", "You are number %(num)s in line.", position) if position else ""
