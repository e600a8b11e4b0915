"""Tickets for the streams of sandboxes, and closing one; the rest is part of an exercise's page or of the API."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, jsonify, redirect, request
from flask_babel import gettext as _

from app.errors import InvalidInput
from app.web.context import cases, viewer
from app.web.forms import Form
from app.web.paths import local_path

blueprint = Blueprint("sandboxes", __name__)


@blueprint.post("/sandboxes/<sandbox_id>/tickets")
def ticket(sandbox_id: str) -> Response:
    """A ticket for one stream: `{"kind": "watch" | "logs", "service": full name}`."""
    asked = request.get_json()
    if not isinstance(asked, dict):
        raise InvalidInput("An object is expected.", code="bad-stream")
    kind, service = str(asked.get("kind", "")), str(asked.get("service", ""))
    return jsonify(ticket=cases().tickets.ticket(viewer(), sandbox_id, kind, service))


@blueprint.post("/sandboxes/<sandbox_id>/stop")
def stop(sandbox_id: str) -> Any:
    """Close a sandbox from Home, and go back there."""
    form = Form("next")
    cases().sandboxes.stop(viewer(), sandbox_id)
    flash(_("The sandbox is closing. Your files are kept."), "ok")
    return redirect(local_path(form["next"]), 303)
