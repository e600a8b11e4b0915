"""Parts of a lesson's page that are the same for many requests, rendered once and kept in memory.

A part's key holds everything that it shows: the lesson's text itself (so that a reloaded course renders anew), the language
(by way of the text) and the reader's state. The CSRF token is put in afterwards.
"""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import Any

from flask import render_template
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup

KEPT = 2000  #: parts of a few KB each
TOKEN = "soty-csrf-token"  # noqa: S105 - stands where the real one goes


class Fragments:
    """Rendered parts by key; the oldest go first. Safe to share between threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._parts: dict[Hashable, str] = {}
        self._lock = Lock()

    def render(self, template: str, key: Hashable, **context: Any) -> Markup:
        """The part for `key`, rendered from `template` when it is not there yet, with this request's token."""
        whole = (template, key)
        part = self._parts.get(whole)
        if part is None:
            part = render_template(template, **context, csrf_token=lambda: TOKEN)
            with self._lock:
                while len(self._parts) >= self._kept:
                    del self._parts[next(iter(self._parts))]
                self._parts[whole] = part
        return Markup(part.replace(TOKEN, generate_csrf()) if TOKEN in part else part)  # noqa: S704 - rendered by our templates
