"""The timeline of a run: where the time went, what each check did, which faults it made; while it runs and afterwards."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.content.exercise import Exercise
from app.grading.progress import Progress
from app.grading.report import Note, Report, StageReport, Words
from app.web.exercise_words import stage_words
from app.web.language import lang

WIDTH = 1000.0  #: of the bar's drawing
FAULTS = frozenset({"fault", "hold"})  #: kinds of notes that hurt something
_PARTS = {"isolation": "sandbox", "taps": "ready", "init": "ready"}  #: stages that are part of another one
_SERVICE = "service:"


@dataclass(frozen=True)
class Moment:
    """Something that a check did. `at`: seconds since the run was asked for."""

    at: float
    kind: str
    text: str

    @property
    def fault(self) -> bool:
        """Whether it hurt something on purpose."""
        return self.kind in FAULTS


@dataclass(frozen=True)
class Part:
    """A stage or a check of a run.

    Attributes:
        check: its id; empty for a stage.
        status: `passed`, `failed`, `errored`, `skipped`, `running` or `waiting`; empty for a stage that has ended.
        at: seconds from the begin of the whole to its own; None before it has begun.
        seconds: how long it took, or has run by now; 0 while that is not known.
        parts: what a stage consists of.
        x, width: its place in the bar, in units of `WIDTH`.
        marks: places of its faults in the bar.
    """

    name: str
    check: str
    status: str
    at: float | None
    seconds: float
    moments: tuple[Moment, ...] = ()
    parts: tuple[tuple[str, float], ...] = ()
    x: float = 0.0
    width: float = 0.0
    marks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Timeline:
    """All parts in order; `seconds` of the whole."""

    parts: tuple[Part, ...]
    seconds: float

    @property
    def faults(self) -> int:
        """How many things the checks broke on purpose."""
        return sum(moment.fault for part in self.parts for moment in part.moments)


def timeline(report: Report) -> Timeline:
    """The timeline of a run that has ended. Notes of the first format name no check; their time does."""
    stages = [stage for stage in report.stages if _outer(stage)]
    before = [stage for stage in stages if stage.name != "report"]
    since_prober = sum(stage.seconds for stage in before if stage.name in ("attach", "calibrate"))
    found: list[Part] = []
    at = 0.0
    for stage in before:
        found.append(Part(_stage(stage, before), "", "", at, stage.seconds, parts=_inside(stage, report.stages)))
        at += stage.seconds
    offset = at - since_prober  # from the prober's clock to ours
    for check in report.checks:
        moments = _moments(report.open_notes, check.id, offset, at, check.seconds)
        found.append(Part(check.title.get(lang()), check.id, check.status, at, check.seconds, moments))
        at += check.seconds
    for stage in stages:
        if stage.name == "report":
            found.append(Part(stage_words(stage.name), "", "", at, stage.seconds))
            at += stage.seconds
    return Timeline(tuple(_drawn(part, at) for part in found), at)


def running(progress: Progress, exercise: Exercise | None, only: Collection[str] = ()) -> Timeline:
    """The timeline so far: stages that have ended, the one that goes on, and each check that is asked for.

    Args:
        exercise: None once it has left the course.
        only: ids of the checks asked for; empty: all.
    """
    stages = [StageReport(stage.name, stage.seconds) for stage in progress.stages]
    outer = [stage for stage in stages if _outer(stage)]
    by_now = max(0.0, time.time() - progress.since) if progress.since else 0.0
    found: list[Part] = []
    at = 0.0
    for stage in outer:
        found.append(Part(_stage(stage, outer), "", "", at, stage.seconds, parts=_inside(stage, stages)))
        at += stage.seconds
    if progress.since and not progress.check and progress.stage not in ("queued", "checks", "done"):
        now = StageReport(progress.stage, by_now)
        found.append(Part(_stage(now, outer), "", "running", at, by_now, parts=_inside(now, stages)))
    offset = at - sum(stage.seconds for stage in outer if stage.name in ("attach", "calibrate"))
    ended = {check.id: check for check in progress.checks}
    for check in exercise.definition.checks.items if exercise else ():
        if only and check.id not in only:
            continue
        title = check.title.get(lang())
        if done := ended.get(check.id):
            found.append(Part(title, check.id, done.status, at, done.seconds))
            at += done.seconds
        elif check.id == progress.check:
            notes = [Note(note.at, note.kind, Words(note.ru, note.en), note.check) for note in progress.notes]
            moments = _moments(notes, check.id, offset, at, by_now or math.inf)
            found.append(Part(title, check.id, "running", at, by_now, moments))
        else:
            found.append(Part(title, check.id, "waiting", None, 0.0))
    return Timeline(tuple(found), at + by_now)


def _stage(stage: StageReport, stages: Sequence[StageReport]) -> str:
    """Its name; a run that waited for no place has the learner's own sandbox."""
    own = stage.name == "sandbox" and all(other.name != "queued" for other in stages)
    return stage_words("own-sandbox" if own else stage.name)


def _outer(stage: StageReport) -> bool:
    return not stage.name.startswith(_SERVICE) and stage.name not in _PARTS


def _inside(whole: StageReport, stages: Sequence[StageReport]) -> tuple[tuple[str, float], ...]:
    """Its parts, some beside each other; of each the time that lies within the whole."""
    inside = [
        stage
        for stage in stages
        if _PARTS.get(stage.name) == whole.name or (whole.name == "ready" and stage.name.startswith(_SERVICE))
    ]
    return tuple((stage_words(stage.name), min(stage.seconds, whole.seconds)) for stage in inside)


def _moments(notes: Sequence[Note], check: str, offset: float, begin: float, seconds: float) -> tuple[Moment, ...]:
    """What a check did, within its own time: the two clocks differ by the gaps between checks."""
    end = begin + seconds
    own = (note for note in notes if note.check == check or (not note.check and begin <= note.at + offset < end))
    return tuple(Moment(min(max(note.at + offset, begin), end), note.kind, note.text.get(lang())) for note in own)


def _drawn(part: Part, whole: float) -> Part:
    if whole <= 0 or part.at is None:
        return part
    scale = WIDTH / whole
    marks = tuple(round(moment.at * scale, 1) for moment in part.moments if moment.fault)
    return replace(part, x=round(part.at * scale, 1), width=round(part.seconds * scale, 1), marks=marks)
