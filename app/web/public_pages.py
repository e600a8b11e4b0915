"""Whole pages that every guest sees alike, kept in memory; a browser that has one is told so (304).

What differs between guests is part of the key (language, theme) or put in afterwards (the CSRF token). A page is not taken
from here when anything else would show in it: an unread message, or a query string other than the language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock

from flask import Response, g, request, session

from app.web.assets import DIST
from app.web.form_session import form_token
from app.web.headers import allow_inline_styles
from app.web.language import lang
from app.web.lesson_fragments import TOKEN

KEPT = 200  #: pages of 30 to 60 KB
_Key = tuple[int, str, str, str]


class PublicPages:
    """Rendered pages by what they show. Safe to share between threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._pages: dict[_Key, tuple[list[str], bool]] = {}
        self._lock = Lock()

    def answer(self, edition: int, render: Callable[[], str]) -> Response:
        """The page at this address, with a tag by which the browser may ask again.

        Args:
            edition: of the course; another one renders anew.
            render: makes the page where it is not kept yet, with `TOKEN` in its forms.
        """
        key = (edition, request.full_path, lang(), request.cookies.get("theme", "")[:8])
        pieces, inline_styles = self._pages.get(key) or self._keep(key, render)
        if inline_styles:  # in the headers of a 304 too: the browser takes them over
            allow_inline_styles()
        # before the tag, which depends on the secret that a browser without one gets here
        token = form_token()
        tag = _tag(key)
        if request.if_none_match.contains_weak(tag):
            response = Response(status=304)
        else:
            response = Response(token.join(pieces), mimetype="text/html")
        response.set_etag(tag, weak=True)
        return response

    def _keep(self, key: _Key, render: Callable[[], str]) -> tuple[list[str], bool]:
        kept = render().split(TOKEN), bool(g.get("inline_styles"))
        with self._lock:
            while len(self._pages) >= self._kept:
                del self._pages[next(iter(self._pages))]
            self._pages[key] = kept
        return kept


def _tag(key: _Key) -> str:
    """Differs with the page, with the built front end, and with the secret that the page's forms were signed for."""
    built = (DIST / "manifest.json").stat().st_mtime_ns
    return hashlib.sha256(repr((key, built, session.get("csrf_token"))).encode()).hexdigest()[:24]
