"""Flask's session, which holds no more than the CSRF secret and unread messages, without its price on requests that only
read it: one signer for all of them, and no work on the answer unless something changed."""

from __future__ import annotations

from flask import Flask, Response
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer


class FormSessions(SecureCookieSessionInterface):
    """Keeps the session in a signed cookie."""

    def __init__(self) -> None:
        self._signer: URLSafeTimedSerializer | None = None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send the cookie when it changed. `Vary: Cookie` is on every answer already: see `headers`."""
        if session.modified:
            super().save_session(app, session, response)
