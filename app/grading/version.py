"""Which grader judged: a hash over everything that could change a verdict besides the exercise itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from app.content.exercise import folder_hash
from app.grading.prober.bundle import platform_files

_SANDBOX = Path(__file__).resolve().parent.parent / "sandbox"


@cache
def grader_version(images_dir: Path) -> str:
    """SHA-256 (hex) over the kit, the prober, the image definitions, the engines' and the taps' code; read once per process."""
    return _digest(
        {
            **{f"prober/{path}": hashlib.sha256(content).hexdigest() for path, content in platform_files().items()},
            "images": folder_hash(images_dir),
            "engines": folder_hash(_SANDBOX / "engines"),
            "taps": folder_hash(_SANDBOX / "taps"),
        }
    )


def _digest(parts: Mapping[str, str]) -> str:
    lines = "\n".join(f"{name} {value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
