"""JSON API v1."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add the API to the application."""
