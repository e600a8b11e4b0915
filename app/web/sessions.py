"""Who is asking: a signed-in browser by its cookie, a program by its bearer token, or a guest. Then CSRF and rates."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask, Response, current_app, g, redirect, request, session, url_for
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeSerializer

from app.accounts import limits, names
from app.accounts.model import User
from app.errors import Forbidden, InvalidInput, PlatformError, SignInNeeded, TooMany
from app.web.context import cases, settings, short_name, visitor
from app.web.form_session import FormSessions
from app.web.language import remember_language

AGE = 365 * 86400  #: of the cookies, in seconds; when a sign-in ends is decided by its row
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: pages that stay open to a person who must choose a new password first
_WITH_ONE_TIME_PASSWORD = frozenset({"account.password", "account.sign_out", "start.set_language", "start.icon", "start.about"})
_KNOWN = 5  #: names that a browser is remembered for


def cookie_name(name: str) -> str:
    """`__Host-` where the site is served over TLS."""
    return f"__Host-{name}" if _secure() else name


def begin(response: Any, user: User) -> Any:
    """Sign this browser in: a fresh token, a fresh CSRF secret, and a mark that it is known for this name."""
    _end_row()
    _put(response, "soty_session", cases().accounts.sign_ins.start(user.id))
    known = {**_known(), _fold(user.name): secrets.token_hex(8)}
    if "lang" not in request.cookies:
        remember_language(response, user.language)
    _put(response, "soty_known", _signer().dumps(dict(list(known.items())[-_KNOWN:])))
    return response


def end(response: Any) -> Any:
    """Sign this browser out."""
    _end_row()
    response.delete_cookie(cookie_name("soty_session"), secure=_secure(), httponly=True, samesite="Lax")
    return response


def known_browser(name: str) -> str:
    """Mark of this browser if it signed in with this name before, else empty."""
    return str(_known().get(_fold(name), ""))


def refusal(error: PlatformError) -> tuple[int, dict[str, str]]:
    """Status and headers of a sign-in page that says no."""
    if isinstance(error, TooMany):
        return 429, {"Retry-After": str(round(error.retry_after))}
    return 401, {}


def register(app: Flask) -> None:
    """Look at each request before its view."""
    secure = app.extensions["soty_settings"].base_url.startswith("https://")
    app.session_interface = FormSessions()
    app.config.update(
        SESSION_COOKIE_NAME="__Host-soty_form" if secure else "soty_form",
        SESSION_COOKIE_SECURE=secure, SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_CHECK_DEFAULT=False,  # `admit` checks, once it knows whether a bearer token makes it needless
    )  # fmt: skip
    app.context_processor(lambda: {"person": visitor()})
    app.jinja_env.globals["short_name"] = short_name

    @app.before_request
    def admit() -> Any:
        if request.blueprint == "observe":
            return None
        _identify()
        if request.method in UNSAFE and request.endpoint and not g.get("bearer"):
            _same_site()
            app.extensions["csrf"].protect()
        _count()
        person = visitor()
        if person is not None and person.must_change_password and request.endpoint not in _WITH_ONE_TIME_PASSWORD:
            return _password_first()
        return None


def _identify() -> None:
    """Set `g.user`, and `g.sign_in` or `g.bearer`.

    Raises:
        SignInNeeded: the bearer token is not a living one.
        InvalidInput: a token stands in the address, where logs and histories would keep it.
    """
    accounts = cases().accounts
    if request.path.startswith("/api/"):
        if any(name in request.args for name in ("token", "access_token", "api_token")):
            raise InvalidInput("A token belongs in the Authorization header, never in the address.", code="token-in-address")
        header = request.headers.get("Authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            g.bearer = scheme.lower() == "bearer"
            g.user = accounts.tokens.find(token.strip()) if g.bearer else None
            if g.user is None:
                accounts.limits.take(limits.WRITES, address())
                raise SignInNeeded("This API token is unknown, expired or revoked.", code="bad-token")
            return
    cookie = request.cookies.get(cookie_name("soty_session"))
    g.sign_in = accounts.sign_ins.find(cookie) if cookie else None
    g.user = g.sign_in.user if g.sign_in else None


def _end_row() -> None:
    token = request.cookies.get(cookie_name("soty_session"))
    if token:
        cases().accounts.sign_ins.end(token)
    session.clear()


def _same_site() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin not in (settings().base_url, request.host_url.rstrip("/")):
        raise CSRFError("The request comes from another site.")


def _count() -> None:
    person = visitor()
    rate = limits.TOKENS if g.get("bearer") else limits.READS
    if request.method in UNSAFE:
        rate = getattr(current_app.view_functions.get(request.endpoint or ""), "rate", limits.WRITES)
    cases().accounts.limits.take(rate, person.id if person else address())


def _password_first() -> Any:
    if request.path.startswith("/api/"):
        raise Forbidden("Choose a new password on the site first.", code="password-change-needed")
    return redirect(url_for("account.password", next=request.full_path if request.method == "GET" else None), 303)


def address() -> str:
    """The client's address, as far as the configured proxies vouch for it."""
    return request.remote_addr or "unknown"


def _secure() -> bool:
    return settings().base_url.startswith("https://")


def _put(response: Response, name: str, value: str) -> None:
    response.set_cookie(cookie_name(name), value, max_age=AGE, secure=_secure(), httponly=True, samesite="Lax")


def _fold(name: str) -> str:
    return limits.bucket("", names.key(name))[1:17]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret, salt="known-browser")


def _known() -> dict[str, str]:
    try:
        return dict(_signer().loads(request.cookies.get(cookie_name("soty_known"), "")))
    except (BadSignature, TypeError, ValueError):
        return {}
