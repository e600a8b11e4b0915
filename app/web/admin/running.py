"""Running sandboxes: whose, since when, what they use; their logs; stopping one."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.model import Role
from app.errors import Unavailable
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require
from app.web.forms import Form

TAIL = 64 * 1024  #: bytes of a log that the panel shows


@blueprint.get("/sandboxes")
def running() -> str:
    """All living sandboxes, with what sandboxd says of them when it answers."""
    require(Role.INSTRUCTOR)
    lines = cases().classroom.sandboxes()
    try:
        reply = cases().sandboxd.list()
    except Unavailable:
        return render_template("admin/running.html", lines=lines, now={}, reply=None, catalog=cases().catalog)
    now = {sandbox.id: sandbox for sandbox in reply.sandboxes}
    return render_template("admin/running.html", lines=lines, now=now, reply=reply, catalog=cases().catalog)


@blueprint.get("/sandboxes/<sandbox_id>/logs")
def sandbox_logs(sandbox_id: str) -> str:
    """The kept output of one service."""
    require(Role.INSTRUCTOR)
    status = cases().sandboxd.status(sandbox_id)
    names = [service.full_name for service in status.services]
    name = request.args.get("service") or next(iter(names), "")
    reply = cases().sandboxd.logs(sandbox_id, name, limit=TAIL) if name in names else None
    text = reply.data.decode(errors="replace") if reply else ""
    return render_template(
        "admin/logs.html", sandbox=status, names=names, name=name, text=text, dropped=reply.dropped if reply else 0
    )


@blueprint.post("/sandboxes/<sandbox_id>/stop")
def stop_sandbox(sandbox_id: str) -> Any:
    """End a sandbox; its owner's files are kept."""
    actor = require(Role.INSTRUCTOR)
    Form()
    cases().sandboxd.stop(sandbox_id)
    cases().accounts.audit.note(actor.id, "sandbox.stop", "sandbox", sandbox_id)
    flash(_("The sandbox is stopping. The learner's files are kept."), "ok")
    return redirect(url_for("admin.running"), 303)
