"""Names of built files: `asset('main.css')` and `icon('bell')` in templates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from app.errors import PlatformError

DIST = Path(__file__).parent / "static" / "dist"
_HASHED = re.compile(r"-[0-9A-Za-z]{8}\.[a-z0-9]+$")


def is_hashed(_path: str, url: str) -> bool:
    """Whether a file may be cached for ever: its name holds a hash of its content."""
    return bool(_HASHED.search(url))


class Manifest:
    """Logical name -> built name; read anew when a build replaced it."""

    def __init__(self, folder: Path = DIST) -> None:
        self._path = folder / "manifest.json"
        self._stamp = 0
        self._names: dict[str, Any] = {}

    def _read(self) -> dict[str, Any]:
        try:
            stamp = self._path.stat().st_mtime_ns
        except FileNotFoundError as error:
            raise PlatformError("The front end is not built.", cure="Run ./run or `npm ci && npm run build`.") from error
        if stamp != self._stamp:
            self._names, self._stamp = json.loads(self._path.read_text()), stamp
        return self._names

    def url(self, name: str) -> str:
        """Path of a built file.

        Raises:
            PlatformError: the front end was not built, or has no such file.
        """
        try:
            return f"/static/dist/{self._read()[name]}"
        except KeyError as error:
            raise PlatformError(f"The front end has no file {name}.") from error

    def preloads(self, name: str) -> list[str]:
        """Chunks that a script imports at once."""
        return [f"/static/dist/{chunk}" for chunk in self._read().get(f"{name}:preload", [])]


def register(app: Flask) -> None:
    """Give templates `asset`, `preloads` and `icon`."""
    manifest = Manifest()

    def icon(name: str, label: str = "", size: str = "") -> Markup:
        """An icon of the sprite; decorative unless `label` is given."""
        told = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
        return Markup('<svg class="icon {}" {}><use href="{}#{}"/></svg>').format(
            size,
            Markup(told),  # noqa: S704 - label is escaped above
            manifest.url("icons.svg"),
            name,
        )

    app.jinja_env.globals.update(asset=manifest.url, preloads=manifest.preloads, icon=icon)
