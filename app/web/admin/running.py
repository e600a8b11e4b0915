"""Running sandboxes: whose, since when, what they use; their logs; stopping one."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.accounts.model import Role
from app.db import now
from app.errors import NotFound, PlatformError
from app.sandbox import sandbox_pb2 as pb
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require, viewer
from app.web.forms import Form

TAIL = 64 * 1024  #: bytes of a log that the panel shows
_SECONDS = 2.0  #: a page waits no longer for sandboxd


@blueprint.get("/sandboxes")
def running() -> str:
    """All living sandboxes, with what sandboxd says of them when it answers."""
    require(Role.INSTRUCTOR)
    lines = cases().classroom.sandboxes()
    try:
        reply: pb.ListReply | None = cases().sandboxd.list(timeout=_SECONDS)
    except PlatformError:
        reply = None
    live = {sandbox.id: sandbox for sandbox in reply.sandboxes} if reply else {}
    return render_template(
        "admin/running.html", lines=lines, live=live, reply=reply, catalog=cases().catalog, now=now(), age=age_words
    )


@blueprint.get("/sandboxes/<sandbox_id>/logs")
def sandbox_logs(sandbox_id: str) -> str:
    """The end of the kept output of one service."""
    require(Role.INSTRUCTOR)
    try:
        status = cases().sandboxd.status(sandbox_id, timeout=_SECONDS)
    except NotFound as error:
        raise NotFound("This sandbox is closed, and its logs went with it.", code="sandbox-closed") from error
    chosen = next((one for one in status.services if one.full_name == request.args.get("service")), None)
    service = chosen or next(iter(status.services), None)
    text, cut = log_tail(sandbox_id, service) if service else ("", False)
    return render_template("admin/logs.html", box=status, shown=service, text=text, cut=cut)


@blueprint.post("/sandboxes/<sandbox_id>/stop")
def stop_sandbox(sandbox_id: str) -> Any:
    """End a sandbox; its owner's files are kept."""
    actor = require(Role.INSTRUCTOR)
    Form()
    cases().sandboxes.stop(viewer(), sandbox_id)
    cases().accounts.audit.note(actor.id, "sandbox.stop", "sandbox", sandbox_id)
    flash(_("The sandbox is stopping. The learner's files are kept."), "ok")
    return redirect(url_for("admin.running"), 303)


def log_tail(sandbox_id: str, service: pb.Service) -> tuple[str, bool]:
    """The last whole lines of a service's output, and whether there was more before them."""
    offset = max(0, service.log_bytes - TAIL)
    reply = cases().sandboxd.logs(sandbox_id, service.full_name, offset=offset, limit=TAIL)
    text, cut = reply.data.decode(errors="replace"), reply.offset > 0 or service.log_dropped > 0
    return (text.partition("\n")[2] if reply.offset > 0 and "\n" in text else text), cut


def age_words(seconds: float) -> str:
    """`41 min`, `1 h 20 min`."""
    minutes = max(0, round(seconds / 60))
    if minutes < 60:
        return _("%(count)s min", count=minutes)
    return _("%(hours)s h %(count)s min", hours=minutes // 60, count=minutes % 60)
