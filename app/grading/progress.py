"""How far a grading or a trial has come: small, overwritten in place, read by pages that poll."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """A check that has ended."""

    id: str
    status: str  #: passed, failed, errored, skipped
    seconds: float


@dataclass(frozen=True, slots=True)
class StageProgress:
    """A stage that has ended."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class NoteProgress:
    """Something that a check did; fields as in `app.grading.report.Note`."""

    at: float
    kind: str
    ru: str
    en: str
    check: str


KEPT_NOTES = 24  #: newest notes that a page shows while checks run


@dataclass(frozen=True, slots=True)
class Progress:
    """What is going on.

    Attributes:
        stage: what goes on: `queued`, `sandbox` and `ready`, or `own-sandbox` and `reset`, then `attach`, `calibrate`,
            `checks`, `done`.
        since: when the stage, or the check that runs, began, in seconds since the epoch; 0 while that is not known.
        check: id of the check that runs; empty between checks.
        checks: those that have ended, in order of their end.
        stages: those that have ended.
        notes: the newest things that the checks did.
        reason: machine code of why it waits (`image-not-ready`, `sandboxd-unavailable`, …); empty when it does not.
        message: one sentence about `reason`.
        queue_position: place in `sandboxd`'s queue; 0 when not queued there.
        queue_seconds: estimated wait there.
    """

    stage: str = "queued"
    check: str = ""
    checks: tuple[CheckProgress, ...] = ()
    stages: tuple[StageProgress, ...] = ()
    reason: str = ""
    message: str = ""
    queue_position: int = 0
    queue_seconds: float = 0.0
    notes: tuple[NoteProgress, ...] = ()
    since: float = 0.0

    def waiting(self, reason: str, message: str = "") -> Progress:
        """The same, back in the queue."""
        return replace(Progress(), reason=reason, message=message)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Progress:
        data: dict[str, Any] = json.loads(text)
        data["checks"] = tuple(CheckProgress(**item) for item in data.get("checks", ()))
        data["stages"] = tuple(StageProgress(**item) for item in data.get("stages", ()))
        data["notes"] = tuple(NoteProgress(**item) for item in data.get("notes", ()))
        return cls(**data)
