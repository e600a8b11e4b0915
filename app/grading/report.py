"""What came of one run of the checks: plain values that are stored, rendered and compared.

Stdlib only, so that every process can read a report. Times are seconds, points are whole and sum to 100.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

REPORT_FORMAT = 1

VerdictName = Literal["passed", "failed", "errored"]
CheckStatus = Literal["passed", "failed", "errored", "skipped"]


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
class Message:
    """An explanation in both languages."""

    ru: Explanation
    en: Explanation

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
    """One moment of the timeline: a fault that was injected, a restart; `at` is seconds since the prober began."""

    at: float
    kind: str
    text: Words


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
        """JSON-able values, with the format's number."""
        return {"format": REPORT_FORMAT, **asdict(self)}

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
        if data["format"] != REPORT_FORMAT:
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
            notes=tuple(Note(item["at"], item["kind"], Words(**item["text"])) for item in data["notes"]),
            log_tails=dict(data["log_tails"]),
            grader_version=data["grader_version"],
            error=data["error"],
        )


def _check(item: Mapping[str, Any]) -> CheckReport:
    return CheckReport(**{**item, "title": Words(**item["title"]), "message": message_from(item["message"])})


def message_from(data: Mapping[str, Any] | None) -> Message | None:
    """A message from `{"ru": {done, expected, seen, where}, "en": {…}}`; missing parts are empty."""
    if not data:
        return None
    return Message(ru=_explanation(data["ru"]), en=_explanation(data["en"]))


def _explanation(data: Mapping[str, Any]) -> Explanation:
    return Explanation(**{name: str(data.get(name, "")) for name in ("done", "expected", "seen", "where")})
