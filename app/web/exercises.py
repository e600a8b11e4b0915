"""Pages of exercises."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("exercises", __name__)
