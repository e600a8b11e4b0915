"""Bodies that come in chunks, without a length: too large ones are refused whole."""

from __future__ import annotations

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge


def register(app: Flask) -> None:
    """Look at each body before anybody parses it."""

    @app.before_request
    def refuse_too_large() -> None:
        # Werkzeug cuts such a body at the limit without a word, and half a form would pass for a whole one.
        if request.headers.get("Transfer-Encoding") and len(request.get_data()) >= current_app.config["MAX_CONTENT_LENGTH"]:
            raise RequestEntityTooLarge
