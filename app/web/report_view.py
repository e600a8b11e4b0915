"""A report as its reader meets it: what failed first, then what passed, then where the time went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _

from app.content.catalog import Catalog
from app.content.exercise import Exercise
from app.grading.report import CheckReport, Explanation, Report, StageReport
from app.web.exercise_words import stage_words
from app.web.language import lang

WIDTH = 1000.0  #: of the bar's drawing
MAX_SENTENCE = 160  #: characters of what was seen that still fit into the first sentence
_INSIDE = "service:"  #: a service's own start is part of the stage `ready`


@dataclass(frozen=True)
class Link:
    """A lesson's paragraph."""

    title: str
    url: str


@dataclass(frozen=True)
class CheckView:
    """One check. `look`: the author's question for whoever failed it; `needs`: titles of what it waited for."""

    report: CheckReport
    title: str
    why: Explanation | None
    look: str
    lesson: Link | None
    needs: tuple[str, ...]

    @property
    def seen(self) -> str:
        """What was seen, in one line."""
        return self.why.seen.partition("\n")[0] if self.why else ""

    @property
    def lines(self) -> str:
        """The lines of a log below it; often empty."""
        return self.why.seen.partition("\n")[2] if self.why else ""


@dataclass(frozen=True)
class Slice:
    """A part of the bar: its place in units of `WIDTH`, and its turn among the fills."""

    name: str
    seconds: float
    x: float
    width: float
    turn: int


@dataclass(frozen=True)
class ReportView:
    """Everything on the page. Groups keep the exercise's order; `failed` holds errored ones too."""

    report: Report
    sentence: str
    failed: tuple[CheckView, ...]
    skipped: tuple[CheckView, ...]
    passed: tuple[CheckView, ...]
    slices: tuple[Slice, ...]
    seconds: float


def report_view(report: Report, exercise: Exercise | None, catalog: Catalog) -> ReportView:
    """Arrange a report; an exercise that has left the course costs its links only."""
    views = [_check(check, report, exercise, catalog) for check in report.checks]

    def those(*statuses: str) -> tuple[CheckView, ...]:
        return tuple(view for view in views if view.report.status in statuses)

    failed = those("failed", "errored")
    slices = tuple(_slices(report))
    return ReportView(report, _sentence(report, failed), failed, those("skipped"), those("passed"), slices,
                      sum(part.seconds for part in slices))  # fmt: skip


def _sentence(report: Report, failed: Sequence[CheckView]) -> str:
    if report.verdict == "passed":
        return str(_("Passed: your services did everything that the checks asked of them."))
    if report.verdict == "errored":
        return str(_("This one is on us, not on you. No attempt was used."))
    first = failed[0]
    if first.seen and len(first.seen) <= MAX_SENTENCE:
        return str(_("“%(check)s”: %(seen)s", check=first.title, seen=first.seen))
    return str(_("Begin with “%(check)s”.", check=first.title))


def _check(check: CheckReport, report: Report, exercise: Exercise | None, catalog: Catalog) -> CheckView:
    definition = exercise.definition if exercise else None
    known = next((item for item in definition.checks.items if item.id == check.id), None) if definition else None
    look = definition.when_failed.get(check.id) if definition else None
    titles = {other.id: other.title.get(lang()) for other in report.checks}
    return CheckView(
        report=check,
        title=check.title.get(lang()),
        why=check.message.get(lang()) if check.message else None,
        look=look.get(lang()) if look else "",
        lesson=_lesson(known.teaches, catalog) if known and known.teaches else None,
        needs=tuple(titles[need] for need in known.needs if need in titles) if known else (),
    )


def _lesson(place: str, catalog: Catalog) -> Link | None:
    lesson_id, _hash, anchor = place.partition("#")
    lesson = catalog.lesson(lesson_id)
    if lesson is None:
        return None
    return Link(lesson.text(lang()).front.title, url_for("lessons.lesson", lesson_id=lesson_id, _anchor=anchor or None))


def _slices(report: Report) -> Iterable[Slice]:
    """Stages one after another, and all checks as one part."""
    checks = StageReport("checks", sum(check.seconds for check in report.checks))
    outer = [stage for stage in report.stages if not stage.name.startswith(_INSIDE)]
    before = [stage for stage in outer if stage.name != "report"]
    parts = [part for part in (*before, checks, *(s for s in outer if s.name == "report")) if part.seconds > 0]
    whole, x = sum(part.seconds for part in parts), 0.0
    for turn, part in enumerate(parts):
        width = WIDTH * part.seconds / whole
        yield Slice(stage_words(part.name), part.seconds, round(x, 1), round(width, 1), turn)
        x += width
