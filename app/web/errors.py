"""Every fault becomes something a person or a program can act on: a readable page, or RFC 9457 problem details."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from app.content.proof import NotProven
from app.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    PlatformError,
    SignInNeeded,
    TooLarge,
    TooMany,
    Unavailable,
)
from app.web.wording import worded

log = structlog.get_logger()
STATUS: tuple[tuple[type[PlatformError], int], ...] = (
    (TooLarge, 413), (InvalidInput, 400), (NotFound, 404), (SignInNeeded, 401), (Forbidden, 403), (Conflict, 409),
    (TooMany, 429), (Unavailable, 503),
)  # fmt: skip


def status_of(error: PlatformError) -> int:
    """HTTP status of an error's family; an error may name its own in `details["status"]`."""
    if "status" in error.details:
        return int(error.details["status"])
    return next((status for family, status in STATUS if isinstance(error, family)), 500)


def wants_problem() -> bool:
    """Whether the answer is for a program: the API, or a client that prefers JSON."""
    if request.path.startswith("/api/"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def problem(status: int, code: str, title: str, detail: str, **more: object) -> Response:
    """Problem details: `type` is a URN of the machine code, `instance` the request's id."""
    body = {"type": f"urn:soty:problem:{code}", "title": title, "status": status, "detail": detail, "code": code,
            "instance": f"urn:soty:request:{g.get('request_id', '-')}", **{k: v for k, v in more.items() if v}}  # fmt: skip
    response = jsonify(body)
    response.status_code = status
    response.content_type = "application/problem+json"
    return response


def titles() -> dict[int, str]:
    """One short line for each status, in the reader's language."""
    return {
        400: _("This request cannot be understood"), 401: _("Sign in first"), 403: _("Your role does not allow this"),
        404: _("There is no such page"), 405: _("This address does not take that method"), 409: _("This has changed meanwhile"),
        413: _("This is too large"), 415: _("This kind of content is not accepted"), 422: _("This cannot be processed"),
        429: _("Too many requests"), 500: _("Something broke on our side"), 503: _("This part does not answer right now"),
    }  # fmt: skip


def answer(status: int, code: str, detail: str, cure: str = "", details: dict[str, object] | None = None) -> Response:
    """The page or the problem document of a fault."""
    title = titles().get(status, titles()[500 if status >= 500 else 400])
    if code == NotProven.code:
        title = _("This exercise is closed for now")
    if wants_problem():
        return problem(status, code, title, detail, cure=cure, details=details)
    template = "errors/fragment.html" if request.headers.get("HX-Request") else "errors/page.html"
    page = render_template(
        template, status=status, title=title, detail=detail, cure=cure, request_id=g.get("request_id", ""),
        unseen_news=lambda: 0,  # it would ask the database, which may be what broke
    )  # fmt: skip
    return Response(page, status)


def register(app: Flask) -> None:
    """Install the handlers."""

    @app.errorhandler(PlatformError)
    def platform(error: PlatformError) -> Response:
        status = status_of(error)
        if status == 401 and not wants_problem() and request.method == "GET":
            return redirect(url_for("account.sign_in", next=request.full_path.rstrip("?")))  # type: ignore[return-value]
        if status >= 500:
            log.warning("request-failed", code=error.code, error=error.message)
        facts = {k: v for k, v in error.details.items() if k != "status"}
        response = answer(status, error.code, *worded(error), facts)
        if isinstance(error, (TooMany, Unavailable)):
            response.headers["Retry-After"] = str(max(1, round(error.retry_after)))
        return response

    @app.errorhandler(CSRFError)
    def csrf(error: CSRFError) -> Response:
        return answer(403, "csrf", _("This form is out of date or came from elsewhere."), _("Reload the page and try again."))

    @app.errorhandler(OperationalError)
    def database(error: OperationalError) -> Response:
        log.error("database-unavailable", error=type(error.orig).__name__)
        response = answer(503, "database-unavailable", _("The database does not answer."), _("Try again in a moment."))
        response.headers["Retry-After"] = "5"
        return response

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        if 300 <= status < 400:
            return error.get_response()  # type: ignore[return-value]
        details = {404: _("Check the address, or begin at the course page."),
                   413: _("A request may hold one megabyte at most."),
                   415: _("A body is sent as application/json here.")}  # fmt: skip
        response = answer(
            status, (error.name or "error").lower().replace(" ", "-"), details.get(status, error.description or "")
        )
        for name, value in error.get_headers():
            if name in ("Allow", "Retry-After"):
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.exception("unexpected-error")
        return answer(500, "internal", _("Nothing you saved was lost. The error was recorded."), _("Try again in a moment."))
