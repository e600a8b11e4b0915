"""How far the preparation of an image is, in words that a page can show."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.errors import PlatformError


class Step(StrEnum):
    """Named steps, in their order."""

    WAITING = "waiting"  #: another process is preparing images
    LISTS = "lists"
    DOWNLOAD = "download"
    UNPACK = "unpack"
    WHEELS = "wheels"
    FINISH = "finish"
    COMPILE = "compile"
    READY = "ready"


USUAL_SECONDS = {
    Step.WAITING: 0.0,
    Step.LISTS: 3.0,
    Step.DOWNLOAD: 5.0,
    Step.UNPACK: 5.0,
    Step.WHEELS: 6.0,
    Step.FINISH: 1.0,
    Step.COMPILE: 6.0,
    Step.READY: 0.0,
}
_TOTAL = sum(USUAL_SECONDS.values())


@dataclass(frozen=True, slots=True)
class Progress:
    """One moment of a preparation. `done` of `total` counts the step's own pieces (packages, wheels); total 0: unknown."""

    image: str
    step: Step
    done: int = 0
    total: int = 0

    @property
    def fraction(self) -> float:
        """Of the whole preparation, 0..1, by the usual length of its steps."""
        return 1.0 if self.step is Step.READY else 1.0 - self.seconds_left / _TOTAL

    @property
    def seconds_left(self) -> float:
        """Usual seconds until the image is ready; a guess for people, not a promise."""
        steps = list(Step)
        rest = sum(USUAL_SECONDS[step] for step in steps[steps.index(self.step) + 1 :])
        inside = 1.0 - (self.done / self.total if self.total else 0.0)
        return rest + USUAL_SECONDS[self.step] * inside


class BuildFailed(PlatformError):
    """An image could not be prepared."""

    code = "image-build-failed"


class ImageNotReady(PlatformError):
    """An image is not prepared yet."""

    code = "image-not-ready"
