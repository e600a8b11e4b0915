"""Which images an exercise still waits for."""

from __future__ import annotations

from dataclasses import dataclass

from app.content.exercise import Exercise
from app.errors import PlatformError
from app.sandbox.client import SandboxdClient
from app.sandbox.taps.model import TAP_IMAGE

ALWAYS = ("agent", "prober")  #: what every sandbox needs besides the images of its services


@dataclass(frozen=True, slots=True)
class ImageWait:
    """An image that is not ready.

    Attributes:
        state: `missing` (its turn has not come), `building` or `failed`.
        step: machine name of the step it is at.
        fraction: share done, 0..1.
        eta_seconds: usual seconds until it is ready.
    """

    name: str
    state: str
    step: str
    fraction: float
    eta_seconds: float


class ImageWaits:
    """Asks `sandboxd`, and no more once everything that an exercise needs was seen ready: images do not vanish."""

    def __init__(self, sandboxd: SandboxdClient) -> None:
        self._sandboxd = sandboxd
        self._ready: set[str] = set()

    def of(self, exercise: Exercise) -> tuple[ImageWait, ...]:
        """What is missing, in the order of preparation; empty also when `sandboxd` does not answer."""
        sandbox = exercise.definition.sandbox
        needed = {*ALWAYS, *(service.image for service in sandbox.services.values())}
        if sandbox.edges:
            needed.add(TAP_IMAGE)
        if needed <= self._ready:
            return ()
        try:
            images = self._sandboxd.images().images
        except PlatformError:
            return ()
        waiting = [image for image in images if image.name in needed and image.state != "ready"]
        if not waiting:
            self._ready |= needed
        return tuple(ImageWait(i.name, i.state, i.step, i.fraction, i.eta_seconds) for i in waiting)
