"""Where the store keeps what: `<image>-<digest12>/root`, `objects/`, `cache/`, `building/`, `lock`."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.sandbox.images.definition import ImageDefinition
from app.sandbox.images.sources import SUITE
from app.sandbox.images.wheels import PYTHON

LEASE = "lease"  #: locked (shared) by every process that uses the image; its time tells the last use
#: Raise it whenever the same definition must give another tree.
_RECIPE = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below a store's root."""

    root: Path

    def digest(self, image: ImageDefinition) -> str:
        """What the tree depends on: the definition and its files, the release, the architecture, our recipe."""
        text = f"{_RECIPE} {SUITE} {PYTHON} {platform.machine()} {image.digest()}"
        return sha256(text.encode()).hexdigest()

    def image(self, image: ImageDefinition) -> Path:
        """The folder of this image at this digest; it exists exactly when the image is complete."""
        return self.home(image.id, self.digest(image))

    def home(self, name: str, digest: str) -> Path:
        """The same by name and digest."""
        return self.root / f"{name}-{digest[:12]}"
