"""Pages of sandboxes."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("sandboxes", __name__)
