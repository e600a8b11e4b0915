"""Tickets for the streams of sandboxes; everything else about them is part of an exercise's page or of the API."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.errors import InvalidInput
from app.web.context import cases, viewer

blueprint = Blueprint("sandboxes", __name__)


@blueprint.post("/sandboxes/<sandbox_id>/tickets")
def ticket(sandbox_id: str) -> Response:
    """A ticket for one stream: `{"kind": "watch" | "logs", "service": full name}`."""
    asked = request.get_json()
    if not isinstance(asked, dict):
        raise InvalidInput("An object is expected.", code="bad-stream")
    kind, service = str(asked.get("kind", "")), str(asked.get("service", ""))
    return jsonify(ticket=cases().tickets.ticket(viewer(), sandbox_id, kind, service))
