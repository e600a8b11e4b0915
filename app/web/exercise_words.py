"""Machine words of sandboxes, runs and drafts as people read them."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import format_decimal
from flask_babel import gettext as _


def N_(text: str) -> str:  # noqa: N802 - the name by which texts are found that are translated later
    """Mark a text for translation."""
    return text


STAGES: Mapping[str, str] = {
    "queued": N_("Waiting for a free place"), "isolation": N_("The sandbox is set up"), "sandbox": N_("A fresh sandbox"),
    "taps": N_("The taps stand on the connections"), "init": N_("The given services are filled"),
    "ready": N_("The services start"), "reset": N_("Everything starts anew"), "attach": N_("The checks connect"),
    "calibrate": N_("This machine's pace is measured"), "checks": N_("Checks"), "report": N_("The report is written"),
    "launch": N_("A fresh sandbox"), "own-sandbox": N_("Your sandbox"), "done": N_("Done"),
}  # fmt: skip
IMAGE_STEPS: Mapping[str, str] = {
    "waiting": N_("its turn has not come"), "lists": N_("looking up packages"), "download": N_("downloading packages"),
    "unpack": N_("unpacking"), "wheels": N_("installing Python libraries"), "compile": N_("compiling"),
    "finish": N_("finishing"), "ready": N_("ready"),
}  # fmt: skip
ENDINGS: Mapping[str, str] = {
    "stopped": N_("You closed it."), "expired": N_("Its time was up."), "idle": N_("Nobody used it for a while."),
    "replaced": N_("You started the sandbox of another exercise."), "lost": N_("It was lost when the platform restarted."),
    "not-proven": N_("The exercise is not offered now."),
    "shutdown": N_("The platform was shut down."), "failed": N_("It could not be started."),
}  # fmt: skip
WAITS: Mapping[str, str] = {
    "image-not-ready": N_("An image is still being prepared; we begin as soon as it is there."),
    "sandboxd-down": N_("The sandbox service does not answer; we go on as soon as it does."),
    "sandboxd-slow": N_("The sandbox service is slow to answer; we keep trying."),
    "content-changed": N_("The exercise is being updated; we begin in a moment."),
    "not-proven": N_("Its checks are being proven anew; we begin as soon as they are."),
    "engine-refused": N_("This machine cannot isolate sandboxes right now; whoever runs it was told."),
    "engine-busy": N_("All places are taken; we keep trying."),
    "lease-lost": N_("The worker was restarted; we grade it again."),
}  # fmt: skip
POINTS: Mapping[str, str] = {
    "reset": N_("before a reset"), "submit": N_("submitted"), "run": N_("checked"), "restore": N_("before a restore"),
    "conflict": N_("replaced by another tab"),
}  # fmt: skip


def stage_words(name: str) -> str:
    """`isolation`, or a service of its own: `service:rabbitmq`, `rabbitmq`."""
    if known := STAGES.get(name):
        return str(_(known))
    return str(_("%(service)s starts", service=name.removeprefix("service:")))


def wait_words(reason: str) -> str:
    """Why something has not begun; a general sentence for what has no words of its own."""
    return str(_(WAITS.get(reason, N_("Something of ours is not ready; we try again by ourselves."))))


def ending_words(reason: str) -> str:
    """Why a sandbox is gone; empty when there is nothing to say."""
    return str(_(ENDINGS[reason])) if reason in ENDINGS else ""


def image_step(step: str) -> str:
    """What an image's preparation does."""
    return str(_(IMAGE_STEPS[step])) if step in IMAGE_STEPS else step


def point_words(reason: str) -> str:
    """Why a restore point was made."""
    return str(_(POINTS[reason])) if reason in POINTS else reason


def seconds_words(seconds: float) -> str:
    """A wait for people: `3 s`, `2 min`."""
    if seconds < 90:
        return str(_("%(count)s s", count=max(1, round(seconds))))
    return str(_("%(count)s min", count=round(seconds / 60)))


def exact_seconds(seconds: float) -> str:
    """A measured time: `0.42 s`, `12.3 s`."""
    return str(_("%(count)s s", count=format_decimal(round(seconds, 2 if seconds < 1 else 1))))


def moment_words(seconds: float) -> str:
    """A moment among messages: `0.250`."""
    return str(format_decimal(seconds, format="0.000"))


def latency_words(seconds: float) -> str:
    """How long an answer took: `12.5 ms`."""
    return str(_("%(count)s ms", count=format_decimal(round(seconds * 1000, 1))))


def place_words(position: int) -> str:
    """A place in a queue."""
    if position == 1:
        return str(_("You are next in line."))
    return str(_("You are number %(num)s in line.", num=position)) if position else ""
