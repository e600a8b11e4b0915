"""What the workbench's template and its scripts need besides what the use cases tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from app.accounts.model import User
from app.content.exercise import Exercise
from app.grading.proof import ProofState, proof_state
from app.learning.sandbox_view import SandboxView
from app.learning.workbench import Workbench
from app.web.context import cases, settings
from app.web.language import lang

_LANGUAGES = {".py": "python", ".proto": "proto", ".sql": "sql", ".yaml": "yaml", ".yml": "yaml"}


@dataclass(frozen=True)
class FileTab:
    """A file of the workspace."""

    path: str
    text: str
    language: str
    readonly: bool


def file_tabs(exercise: Exercise, files: Mapping[str, str]) -> list[FileTab]:
    """Editable files first, then the given ones.

    Args:
        files: editable path -> text.
    """
    own = [
        FileTab(item.path, files.get(item.path, ""), item.language, False) for item in exercise.definition.workspace.editable
    ]
    given = (path for path in exercise.starter if path not in exercise.editable_paths)
    return own + [FileTab(p, exercise.starter[p], _LANGUAGES.get(Path(p).suffix, "text"), True) for p in given]


def bench_facts(exercise: Exercise, work: Workbench | None, person: User | None) -> dict[str, Any]:
    """What the page's script cannot read from the page itself."""
    here = url_for("exercises.exercise", exercise_id=exercise.id)
    return {
        "exercise": exercise.id,
        "title": exercise.definition.title.get(lang()),
        "user": person.id if person else "",
        "revision": work.draft.revision if work else 0,
        "savedAt": work.draft.saved_at.isoformat() if work and work.draft.saved_at else "",
        "editable": list(exercise.editable_paths),
        "learnerServices": [name for name, service in exercise.definition.sandbox.services.items() if not service.given],
        "lang": lang(),
        "live": settings().live_base_url.replace("http", "ws", 1) + "/ws",
        "signIn": url_for("account.sign_in", next=here),
        "signUp": url_for("account.sign_up", next=here),
        "titles": {known.id: known.definition.title.get(lang()) for known in cases().catalog.exercises.exercises.values()},
        "texts": script_texts(),
    }


def service_facts(sandbox: SandboxView | None) -> list[dict[str, Any]]:
    """What the script must know of each replica: to follow its log and to mark its restarts."""
    services = sandbox.services if sandbox else ()
    return [{"name": s.full_name, "state": s.state, "since": s.since.timestamp(), "restarts": s.restarts} for s in services]


def script_texts() -> dict[str, str]:
    """Sentences that only the script says. `{name}` is filled in by it."""
    return {
        "saved": _("Saved {time}"),
        "saving": _("Saving…"),
        "editing": _("Not saved yet"),
        "retrying": _("Not saved, retrying in {seconds} s"),
        "kept": _("Kept in this browser"),
        "starter": _("Starter files"),
        "signedOut": _("Not saved: you were signed out"),
        "refused": _("Not saved: {why}"),
        "conflict": _("Not saved: changed elsewhere"),
        "escape": _("Press Tab to leave the editor."),
        "file": _("{path}, editor"),
        "readonly": _("{path}, read only"),
        "follow": _("follow"),
        "paused": _("paused"),
        "restartMark": _("{service} started again"),
        "noOutput": _("No output yet."),
        "logsLost": _("{count} bytes were dropped: the log is full."),
        "allServices": _("all services"),
        "minutes": _("{count} min"),
        "seconds": _("{count} s"),
        "hours": _("{count} h"),
        "closesSoon": _("The sandbox closes in 5 minutes. Your files are kept."),
        "ready": _("The sandbox is ready."),
        "gone": _("The sandbox is closed."),
        "passed": _("passed"),
        "failed": _("not passed yet"),
        "errored": _("our fault"),
        "announcePassed": _("Passed: {passed} of {total}."),
        "announceFailed": _("Not passed yet: {passed} of {total}. {sentence}"),
        "announceErrored": _("This one is on us. No attempt was used."),
        "announceReset": _("The starter is back. Your files are a restore point."),
        "announceRestored": _("Restored. What was here before is a restore point."),
        "applied": _("Restarted with your files."),
        "offline": _("The platform does not answer. Your text is kept in this browser."),
        "failedAction": _("That did not work: {why}"),
        "mine": _("Mine, in this tab"),
        "theirs": _("Saved elsewhere"),
        "same": _("no difference"),
        "startFirst": _("The sandbox starts first; the checks follow when it is ready."),
        "oldCode": _("Your services run older files than these."),
        "apply": _("Restart with my files"),
        "close": _("Close"),
        "doesNotCount": _("does not count until you submit"),
        "secondSandbox": _("Your sandbox of “{title}” is running."),
    }


def proof_of(exercise: Exercise) -> ProofState:
    """Whether the checks of an exercise are proved to tell right from wrong."""
    return proof_state(exercise, settings().images_dir)
