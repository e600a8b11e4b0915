"""The sentence that a verdict begins with. Each is pinned, in both languages, by `tests/web/golden/`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask_babel import gettext as _
from flask_babel import ngettext

from app.content.exercise import Exercise
from app.grading.report import Cause, CheckReport, Report
from app.web.exercise_words import exact_seconds, seconds_words
from app.web.language import lang
from app.web.timeline import FAULTS, timeline

MAX_SENTENCE = 160  #: characters of what was seen that still fit into the first sentence
_REPLICA = re.compile(r"-\d+$")


def platform_words(*, counts: bool) -> str:
    """What a fault of ours means. `counts`: it was a submission, which is graded again by itself."""
    if counts:
        return str(_("This one is on us, not on you. No attempt was used; we grade it again by ourselves in a minute."))
    return str(_("This one is on us, not on you. Run the checks again; if it happens twice, start the sandbox anew."))


def verdict_words(report: Report, failed: Sequence[CheckReport], exercise: Exercise | None, *, counts: bool) -> str:
    """One or two sentences: what the system withstood, or what to look at first.

    Args:
        failed: the checks that failed or were errored, in the exercise's order.
    """
    if report.verdict == "errored":
        return platform_words(counts=counts)
    if report.verdict == "passed":
        return _passed(report)
    first = next((check for check in failed if check.status == "failed"), failed[0])
    title = first.title.get(lang())
    why = first.message.get(lang()) if first.message else None
    if first.message and first.message.cause:
        return _caused(report, first, title, first.message.cause, exercise)
    seen = why.seen.partition("\n")[0] if why else ""
    if seen and len(seen) <= MAX_SENTENCE:
        return str(_("“%(check)s”: %(seen)s", check=title, seen=seen))
    return str(_("Begin with “%(check)s”.", check=title))


def _passed(report: Report) -> str:
    counts = {"passed": report.passed_checks, "all": len(report.checks)}
    if faults := sum(note.kind in FAULTS for note in report.notes):
        return str(
            ngettext(
                "Passed: %(passed)s of %(all)s. Your services withstood %(num)s fault.",
                "Passed: %(passed)s of %(all)s. Your services withstood %(num)s faults.",
                faults,
                **counts,
            )
        )
    return str(_("Passed: %(passed)s of %(all)s. Your services did everything that was asked of them.", **counts))


def _caused(report: Report, check: CheckReport, title: str, cause: Cause, exercise: Exercise | None) -> str:
    if cause.kind == "timed-out":
        return _timed_out(report, check, title, cause.seconds)
    if cause.kind == "out-of-memory":
        if limit := _memory(cause.service, exercise):
            return str(_("“%(check)s”: %(service)s used up its memory, %(limit)s of %(limit)s MB, and the system ended it.",
                         check=title, service=cause.service, limit=limit))  # fmt: skip
        return str(_("“%(check)s”: %(service)s used up its memory, and the system ended it.",
                     check=title, service=cause.service))  # fmt: skip
    if cause.signal:
        return str(_("“%(check)s”: %(service)s was ended by signal %(signal)s. The last lines of its log are below.",
                     check=title, service=cause.service, signal=cause.signal))  # fmt: skip
    if cause.exit_code is None:
        return str(_("“%(check)s”: %(service)s ended by itself. The last lines of its log are below.",
                     check=title, service=cause.service))  # fmt: skip
    return str(_("“%(check)s”: %(service)s ended by itself with exit code %(code)s. The last lines of its log are below.",
                 check=title, service=cause.service, code=cause.exit_code))  # fmt: skip


def _timed_out(report: Report, check: CheckReport, title: str, limit: float) -> str:
    """The last step is where the time went: it lasted until the end of the check."""
    sentence = str(_("“%(check)s” was not through after %(limit)s.", check=title, limit=seconds_words(limit)))
    part = next(part for part in timeline(report).parts if part.check == check.id)
    steps = [moment for moment in part.moments if moment.kind == "step"]
    if not steps or part.at is None or steps[-1].at is None:
        return sentence
    waited = exact_seconds(part.at + part.seconds - steps[-1].at)
    last = _("The last %(time)s of it passed after this step: %(step)s", time=waited, step=steps[-1].text)
    return f"{sentence} {last}"


def _memory(service: str, exercise: Exercise | None) -> str:
    """A service's limit in MB as its exercise sets it; empty when only the image does."""
    services = exercise.definition.sandbox.services if exercise else {}
    found = services.get(service) or services.get(_REPLICA.sub("", service))
    limit = (found.limits.memory if found else None) or ""
    return limit.removesuffix("m")
