"""The audit log in words: all of it for admins, verdicts when asked for; for instructors what was unusual about gradings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from flask import render_template, request, url_for
from flask_babel import LazyString
from flask_babel import lazy_gettext as l_

from app.accounts.model import AuditEvent, Role
from app.grading.graded import ACTION as GRADED
from app.grading.suspicion import ACTION as SUSPICIOUS
from app.web.admin.blueprint import blueprint
from app.web.admin.submissions import verdict_words
from app.web.context import cases, require

PAGE = 50
DEEDS: Mapping[str, LazyString] = {
    "user.add": l_("made an account"), "user.edit": l_("changed the profile"), "user.password": l_("chose a new password"),
    "user.reset-password": l_("gave a one-time password"), "user.role": l_("gave another role"),
    "user.activate": l_("opened the account"), "user.deactivate": l_("closed the account"),
    "token.create": l_("made an API token"), "database.restore": l_("brought a backup back"),
    "token.revoke": l_("revoked an API token"), "submission.retry": l_("had a submission graded again"),
    "sandbox.stop": l_("stopped a sandbox"), "objection.make": l_("said that a check is wrong"),
    "objection.answer": l_("answered an objection"), GRADED: l_("had a submission graded"),
    SUSPICIOUS: l_("something unusual was observed"),
}  # fmt: skip
#: Names of facts: of a verdict, and what `app.grading.suspicion` counts.
FACTS: Mapping[str, LazyString] = {
    "exercise": l_("exercise"), "verdict": l_("verdict"), "score": l_("score"), "grader": l_("version of the checks"),
    "answer-too-large": l_("answers over the size limit"), "broker-refusals": l_("things that the broker refused"),
    "forged-results": l_("lines of output that look like results of checks"), "memory-limit": l_("hits of the memory limit"),
    "names-checker": l_("names from inside the checks, in the files"), "output-flood": l_("bytes of output over the limit"),
    "redirect-elsewhere": l_("redirects to other addresses"),
    "refused-connections": l_("connections that the exercise does not have"),
}  # fmt: skip
_PAGES = {
    "user": ("admin.learner", "user_id"), "submission": ("admin.submission", "submission_id"),
    "objection": ("admin.objection", "objection_id"),
}  # fmt: skip


@blueprint.get("/audit")
def audit() -> str:
    """Newest first; `what` in the address shows one kind alone, and verdicts are shown only so: there are too many of them."""
    actor = require(Role.INSTRUCTOR)
    offered = DEEDS if actor.role == Role.ADMIN else {SUSPICIOUS: DEEDS[SUSPICIOUS]}
    what = request.args.get("what", "")
    what = what if what in offered else ("" if actor.role == Role.ADMIN else SUSPICIOUS)
    before = request.args.get("before", "")
    last = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else None
    entries = cases().accounts.audit.newest(last, PAGE + 1, what)
    shown = entries[:PAGE]
    return render_template(
        "admin/audit.html",
        entries=shown,
        more=len(entries) > PAGE,
        begun=last is not None,
        deeds=DEEDS,
        offered=offered,
        what=what,
        target_url=target_url,
        facts=facts,
    )


def target_url(event: AuditEvent) -> str:
    """The page of what a deed was done to; empty where there is none."""
    endpoint, argument = _PAGES.get(event.target_kind, ("", ""))
    return url_for(endpoint, **{argument: event.target_id}) if endpoint and event.target_id else ""  # type: ignore[arg-type]


def facts(event: AuditEvent) -> list[tuple[str, str]]:
    """What is recorded beside the deed, as pairs."""
    recorded = json.loads(event.facts or "{}")
    if event.action == GRADED:
        recorded["verdict"] = verdict_words().get(recorded["verdict"], "")
        recorded["grader"] = recorded["grader"][:12]
    return [(str(FACTS.get(key, key)), str(value)) for key, value in recorded.items()]
