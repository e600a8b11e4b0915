"""A report as its reader meets it: what failed first, then what passed, then where the time went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import url_for
from flask_babel import gettext as _

from app.content.catalog import Catalog
from app.content.exercise import Exercise
from app.grading.report import CheckReport, Explanation, Report
from app.grading.trace import Trace
from app.trainer.diagnosis import Diagnosis
from app.web.language import lang
from app.web.timeline import Timeline, timeline
from app.web.trace_view import TraceView, trace_view
from app.web.verdict_words import verdict_words


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
    trace: TraceView | None

    @property
    def seen(self) -> str:
        """What was seen, in one line."""
        return self.why.seen.partition("\n")[0] if self.why else ""

    @property
    def lines(self) -> str:
        """The lines of a log below it; often empty."""
        return self.why.seen.partition("\n")[2] if self.why else ""


@dataclass(frozen=True)
class ReportView:
    """Everything on the page. Groups keep the exercise's order; `failed` holds errored ones too.

    Attributes:
        mistake: what a known mistake would explain, as a sentence; empty when none is recognised.
        lesson: what teaches it.
    """

    report: Report
    sentence: str
    mistake: str
    lesson: Link | None
    failed: tuple[CheckView, ...]
    skipped: tuple[CheckView, ...]
    passed: tuple[CheckView, ...]
    timeline: Timeline


def report_view(
    report: Report,
    exercise: Exercise | None,
    catalog: Catalog,
    *,
    diagnosis: Diagnosis | None = None,
    traces: Iterable[Trace] = (),
    counts: bool = True,
) -> ReportView:
    """Arrange a report; an exercise that has left the course costs its links only.

    Args:
        traces: of the checks that failed.
        counts: it is a submission's.
    """
    seen = {trace.check: trace_view(trace) for trace in traces if trace.events}
    views = [_check(check, report, exercise, catalog, seen.get(check.id)) for check in report.checks]

    def those(*statuses: str) -> tuple[CheckView, ...]:
        return tuple(view for view in views if view.report.status in statuses)

    failed = those("failed", "errored")
    return ReportView(
        report=report,
        sentence=verdict_words(report, [view.report for view in failed], exercise, counts=counts),
        mistake=mistake_words(diagnosis),
        lesson=lesson_link(diagnosis.lesson, catalog) if diagnosis and diagnosis.lesson else None,
        failed=failed,
        skipped=those("skipped"),
        passed=those("passed"),
        timeline=timeline(report),
    )


def mistake_words(diagnosis: Diagnosis | None) -> str:
    """A recognised mistake as a sentence; empty when none is."""
    if diagnosis is None or diagnosis.kind != "mistake":
        return ""
    return str(_("It looks like this: %(mistake)s.", mistake=diagnosis.text.get(lang())))


def lesson_link(place: str, catalog: Catalog) -> Link | None:
    """`lesson-id` or `lesson-id#heading` as a link; None when the lesson is not written yet."""
    lesson_id, _hash, anchor = place.partition("#")
    lesson = catalog.lesson(lesson_id)
    if lesson is None:
        return None
    return Link(lesson.text(lang()).front.title, url_for("lessons.lesson", lesson_id=lesson_id, _anchor=anchor or None))


def _check(
    check: CheckReport, report: Report, exercise: Exercise | None, catalog: Catalog, trace: TraceView | None
) -> CheckView:
    definition = exercise.definition if exercise else None
    known = next((item for item in definition.checks.items if item.id == check.id), None) if definition else None
    look = definition.when_failed.get(check.id) if definition else None
    titles = {other.id: other.title.get(lang()) for other in report.checks}
    return CheckView(
        report=check,
        title=check.title.get(lang()),
        why=check.message.get(lang()) if check.message else None,
        look=look.get(lang()) if look else "",
        lesson=lesson_link(known.teaches, catalog) if known and known.teaches else None,
        needs=tuple(titles[need] for need in known.needs if need in titles) if known else (),
        trace=trace if check.status == "failed" else None,
    )
