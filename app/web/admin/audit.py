"""The audit log in words. Admins only."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import render_template, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as l_

from app.accounts.model import AuditEvent, Role
from app.web.admin.blueprint import blueprint
from app.web.context import cases, require

PAGE = 50
DEEDS: Mapping[str, LazyString] = {
    "user.add": l_("made an account"), "user.edit": l_("changed the profile"), "user.password": l_("chose a new password"),
    "user.reset-password": l_("gave a one-time password"), "user.role": l_("gave another role"),
    "user.activate": l_("opened the account"), "user.deactivate": l_("closed the account"),
    "token.create": l_("made an API token"), "database.restore": l_("brought a backup back"),
    "token.revoke": l_("revoked an API token"), "submission.retry": l_("had a submission graded again"),
    "sandbox.stop": l_("stopped a sandbox"),
}  # fmt: skip
_PAGES = {"user": ("admin.learner", "user_id"), "submission": ("admin.submission", "submission_id")}


@blueprint.get("/audit")
def audit() -> str:
    """Security-relevant actions, newest first."""
    require(Role.ADMIN)
    before = request.args.get("before", "")
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    entries = cases().accounts.audit.newest(last, PAGE + 1)
    shown = entries[:PAGE]
    return render_template(
        "admin/audit.html",
        entries=shown,
        more=len(entries) > PAGE,
        begun=last is not None,
        deeds=DEEDS,
        target_url=target_url,
        facts=facts,
    )


def target_url(event: AuditEvent) -> str:
    """The page of what a deed was done to; empty where there is none."""
    endpoint, argument = _PAGES.get(event.target_kind, ("", ""))
    return url_for(endpoint, **{argument: event.target_id}) if endpoint and event.target_id else ""  # type: ignore[arg-type]


def facts(event: AuditEvent) -> list[tuple[str, str]]:
    """What is recorded beside the deed, as pairs."""
    return [(key, str(value)) for key, value in json.loads(event.facts or "{}").items()]
