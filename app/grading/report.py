"""What came of one run of the checks: plain values that are stored, rendered and compared.

Stdlib only, so that every process can read a report. Times are seconds, points are whole and sum to 100.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from app.grading.trace import Trace

ERRORED_NOTE = "errored"  #: kind of the note that says why a check broke; for authors and operators
REPORT_FORMAT = 2
READABLE = (1, 2)  #: 1 knew neither causes, nor features, nor which check a note belongs to

VerdictName = Literal["passed", "failed", "errored"]
CheckStatus = Literal["passed", "failed", "errored", "skipped"]
CauseName = Literal["crashed", "out-of-memory", "timed-out"]


@dataclass(frozen=True, slots=True)
class Words:
    """The same words in both languages."""

    ru: str
    en: str

    def get(self, lang: str) -> str:
        """The words in `lang`; English for anything but Russian."""
        return self.ru if lang == "ru" else self.en


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a check did not pass, in one language. An empty part is not shown; `seen` may hold several lines of a log."""

    done: str = ""
    expected: str = ""
    seen: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Cause:
    """What a check met besides a wrong answer.

    Attributes:
        kind: `crashed`: a service of the learner ended by itself; `out-of-memory`: it went over its limit; `timed-out`: the
            check was not through in time.
        service: full name of the replica; empty for `timed-out`.
        exit_code, signal: how it ended, as far as is known.
        seconds: the limit that was exceeded, for `timed-out`.
    """

    kind: CauseName
    service: str = ""
    exit_code: int | None = None
    signal: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """An explanation in both languages, and its cause where it is one of the known ones."""

    ru: Explanation
    en: Explanation
    cause: Cause | None = None

    def get(self, lang: str) -> Explanation:
        """The explanation in `lang`; English for anything but Russian."""
        return self.ru if lang == "ru" else self.en


@dataclass(frozen=True, slots=True)
class CheckReport:
    """Outcome of one check.

    Attributes:
        status: `skipped` when a check that it needs did not pass; `errored` blames the platform, never the learner.
        points: earned, either 0 or `max_points`.
        message: None when passed or skipped.
    """

    id: str
    title: Words
    status: CheckStatus
    points: int
    max_points: int
    seconds: float
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class StageReport:
    """A named part of the run (`queued`, `isolation`, a service, `calibrate`, …) and how long it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Note:
    """One moment of the timeline.

    Attributes:
        at: seconds since the prober began.
        kind: `step`: what the check did next; `fault`, `control`: what it did to a service; `note`; `errored`.
        check: id of the check that ran; empty between checks.
    """

    at: float
    kind: str
    text: Words
    check: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is known of one run.

    Attributes:
        verdict: `passed` when every check passed; `failed` when one failed; else `errored`.
        score: points earned, 0..100.
        seed: draws of this run; the same seed draws the same values.
        scale: factor by which time limits were stretched on this machine, 1..6.
        checks: in the order of the exercise.
        log_tails: last lines of each learner's service, by full name.
        grader_version: hash of the kit, the prober and the images that judged.
        error: for `errored`: one sentence for operators; empty otherwise.
        features: what is typical of the failures, for comparing them with known mistakes; see `app.grading.signature`.
        traces: what the taps saw, by check. Large: kept beside the report (`app.grading.trace.packed`), never in its JSON.
    """

    verdict: VerdictName
    score: int
    seed: int
    scale: float
    checks: tuple[CheckReport, ...]
    stages: tuple[StageReport, ...] = ()
    notes: tuple[Note, ...] = ()
    log_tails: Mapping[str, str] = field(default_factory=dict)
    grader_version: str = ""
    error: str = ""
    features: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = field(default=(), compare=False, repr=False)

    @property
    def open_notes(self) -> tuple[Note, ...]:
        """Notes that learners may read: not why a check broke, which quotes its code and what it expects."""
        return tuple(note for note in self.notes if note.kind != ERRORED_NOTE)

    @property
    def passed_checks(self) -> int:
        return sum(check.status == "passed" for check in self.checks)

    @property
    def not_passed(self) -> frozenset[str]:
        """Ids of the checks that were failed or skipped: the signature by which a known mistake is recognised."""
        return frozenset(check.id for check in self.checks if check.status in ("failed", "skipped"))

    def check(self, check_id: str) -> CheckReport:
        """The outcome of one check.

        Raises:
            KeyError: the exercise has no such check.
        """
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values, with the format's number and without the traces."""
        values = asdict(replace(self, traces=()))
        del values["traces"]
        return {"format": REPORT_FORMAT, **values}

    def to_json(self) -> str:
        """Compact JSON; `from_json` reads it back to an equal value."""
        return json.dumps(self.to_dict(), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not a report of a known format.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report: {error!r}") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """Rebuild from `to_dict`'s values; raises ValueError, KeyError or TypeError on anything else."""
        if data["format"] not in READABLE:
            raise ValueError(f"report format {data['format']!r} is not known")
        if data["verdict"] not in get_args(VerdictName):
            raise ValueError(f"verdict {data['verdict']!r} is not known")
        return cls(
            verdict=data["verdict"],
            score=int(data["score"]),
            seed=int(data["seed"]),
            scale=float(data["scale"]),
            checks=tuple(_check(item) for item in data["checks"]),
            stages=tuple(StageReport(**item) for item in data["stages"]),
            notes=tuple(Note(item["at"], item["kind"], Words(**item["text"]), item.get("check", "")) for item in data["notes"]),
            log_tails=dict(data["log_tails"]),
            grader_version=data["grader_version"],
            error=data["error"],
            features=tuple(data.get("features", ())),
        )


def _check(item: Mapping[str, Any]) -> CheckReport:
    return CheckReport(**{**item, "title": Words(**item["title"]), "message": message_from(item["message"])})


def message_from(data: Mapping[str, Any] | None) -> Message | None:
    """A message from `{"ru": {done, expected, seen, where}, "en": {…}, "cause": {…}}`; missing parts are empty."""
    if not data:
        return None
    cause = data.get("cause")
    return Message(_explanation(data["ru"]), _explanation(data["en"]), Cause(**cause) if cause else None)


def _explanation(data: Mapping[str, Any]) -> Explanation:
    return Explanation(**{name: str(data.get(name, "")) for name in ("done", "expected", "seen", "where")})
