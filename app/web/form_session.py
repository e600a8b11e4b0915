"""Flask's session, which holds no more than the CSRF secret and unread messages, without its price on requests that only
read it: a cookie's signature is checked and a token signed once per browser, not once per page."""

from __future__ import annotations

import time
from functools import lru_cache
from threading import Lock
from typing import Any

from flask import Flask, Request, Response, current_app, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_wtf.csrf import generate_csrf
from itsdangerous import URLSafeTimedSerializer

KNOWN_BROWSERS = 4000
TRUST = 600.0  #: seconds for which a checked signature is not checked again


class FormSessions(SecureCookieSessionInterface):
    """Keeps the session in a signed cookie."""

    def __init__(self) -> None:
        self._checked: dict[str, tuple[float, str]] = {}  #: cookie -> (trusted until, its CSRF secret)
        self._lock = Lock()

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        cookie = request.cookies.get(self.get_cookie_name(app), "")
        until, secret = self._checked.get(cookie, (0.0, ""))
        if time.monotonic() < until:
            return self.session_class({"csrf_token": secret})
        found = super().open_session(app, request)
        # others are never kept: they hold messages, which requests change
        if found is not None and found.keys() == {"csrf_token"}:
            with self._lock:
                while len(self._checked) >= KNOWN_BROWSERS:
                    del self._checked[next(iter(self._checked))]
                self._checked[cookie] = (time.monotonic() + TRUST, found["csrf_token"])
        return found

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie when it changed. `Vary: Cookie` is on every answer already: see `headers`."""
        if session.modified:
            super().save_session(app, session, response)


def form_token() -> str:
    """The CSRF token of this browser, as Flask-WTF would make it; the same for all its pages, since tokens do not expire."""
    secret = session.get("csrf_token")
    return str(generate_csrf()) if secret is None else _signed(current_app.secret_key, secret)


@lru_cache(maxsize=KNOWN_BROWSERS)
def _signed(key: Any, secret: str) -> str:
    return str(URLSafeTimedSerializer(key, salt="wtf-csrf-token").dumps(secret))
