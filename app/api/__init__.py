"""JSON API v1: declared operations, checked input, problem details for errors (made by the application)."""

from __future__ import annotations

from flask import Flask

from app.api import course, openapi, sandboxes, work
from app.api.operations import blueprint

__all__ = ["course", "openapi", "register", "sandboxes", "work"]


def register(app: Flask) -> None:
    """Add the API to the application, which identifies the person (`g.user`), counts rates and renders errors."""
    app.register_blueprint(blueprint)
