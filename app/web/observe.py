"""What operators see: request ids, one access line per request, health, readiness, metrics."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, Histogram

from app.errors import Forbidden
from app.web import readiness
from app.web.context import cases, settings, visitor

log = structlog.get_logger("soty.access")
blueprint = Blueprint("observe", __name__)
SECONDS = Histogram(
    "soty_request_seconds", "Time from the first to the last byte of our work on a request", ("endpoint", "method", "status"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)  # fmt: skip


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers; nothing else is asked."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Whether this process can serve, part by part; 503 when it cannot."""
    state = readiness.look(settings(), cases().database)
    return jsonify({"status": state.status, "checks": state.checks}), 503 if state.status == "unready" else 200


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus metrics of all web processes; for this machine, or for whoever has the metrics token."""
    if not _may_measure():
        raise Forbidden("Metrics are for this machine, or with SOTY_METRICS_TOKEN.")
    return Response(readiness.exposition(cases().database), content_type=CONTENT_TYPE_LATEST)


def _may_measure() -> bool:
    token = settings().metrics_token
    if token is not None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return not forwarded and ipaddress.ip_address(request.remote_addr or "0.0.0.0").is_loopback


def register(app: Flask) -> None:
    """Number, time and log every request."""
    app.register_blueprint(blueprint)

    @app.before_request
    def start() -> None:
        g.request_id, g.started = secrets.token_hex(8), time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("started", time.perf_counter())
        endpoint = request.endpoint or "none"
        response.headers["X-Request-ID"] = g.get("request_id", "-")
        SECONDS.labels(endpoint, request.method if request.endpoint else "-", response.status_code).observe(seconds)
        if request.blueprint != "observe":
            person = visitor()
            log.info("request", method=request.method, path=request.path, endpoint=endpoint, status=response.status_code,
                     ms=round(seconds * 1000, 1), user=person.id if person else None)  # fmt: skip
        return response
