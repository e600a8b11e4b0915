"""Home in words: the one next step, what happened lately, and how long a sandbox lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask import url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app.content.catalog import Catalog
from app.db import now
from app.grading.model import Verdict
from app.learning.home import Home, NextStep
from app.web.language import lang

RECENT = 4


@dataclass(frozen=True)
class Step:
    """The one large next step of Home, in words."""

    kicker: str
    title: str
    about: str
    action: str
    url: str
    meta: str = ""


@dataclass(frozen=True)
class Deed:
    """A lesson that was finished, or an exercise that was solved or begun."""

    title: str
    url: str
    kind: str  #: `lesson`, or how the exercise stands: `passed`, `failed`, `errored`, `begun`
    at: datetime | None = None


def next_words(home: Home, catalog: Catalog) -> Step:
    """A new verdict comes first; then whatever the course puts next."""
    if home.unseen:
        line = home.unseen[0]
        about = {
            Verdict.PASSED: _("Passed. The report says what your services withstood."),
            Verdict.FAILED: _("Not passed yet. The report says what was done, expected and seen, and where to look."),
        }.get(
            line.verdict or Verdict.ERRORED,
            _("Grading broke on our side. No attempt was used; we grade it again by ourselves."),
        )
        return Step(_("New verdict"), exercise_title(catalog, line.exercise_id), about, _("Open the report"),
                    url_for("exercises.submission", submission_id=line.id))  # fmt: skip
    return _course_step(home.next_step, catalog)


def _course_step(step: NextStep, catalog: Catalog) -> Step:
    if exercise := catalog.exercise(step.id):
        definition = exercise.definition
        kicker = _("Go on with your exercise") if step.kind == "exercise-on" else _("Now in practice")
        return Step(kicker, definition.title.get(lang()), definition.goal.get(lang()), _("Open the exercise"),
                    url_for("exercises.exercise", exercise_id=exercise.id), minutes(definition.minutes))  # fmt: skip
    lesson = catalog.lesson(step.id)
    if lesson is None:
        return Step(_("Everything that is written"), _("You have finished all that exists today"),
                    _("More lessons are planned; the course page shows them."), _("To the course"),
                    url_for("lessons.course"))  # fmt: skip
    front, goes_on = lesson.text(lang()).front, step.kind == "lesson-on"
    return Step(_("Go on reading") if goes_on else _("Your next lesson"), front.title, front.summary,
                _("Continue") if goes_on else _("Read"), url_for("lessons.lesson", lesson_id=lesson.front.id),
                minutes(front.minutes))  # fmt: skip


def recent(home: Home, catalog: Catalog) -> list[Deed]:
    """Exercises that are begun and not solved, then what was finished last; at most `RECENT`."""
    return [*_begun(home, catalog), *_finished(home, catalog)][:RECENT]


def _begun(home: Home, catalog: Catalog) -> Iterator[Deed]:
    for exercise_id, best in home.exercises.items():
        if best is not Verdict.PASSED and exercise_id != home.next_step.id and exercise_id in catalog.exercises.offered:
            url = url_for("exercises.exercise", exercise_id=exercise_id)
            yield Deed(exercise_title(catalog, exercise_id), url, best.value if best else "begun")


def _finished(home: Home, catalog: Catalog) -> Iterator[Deed]:
    done = [(at, lesson_id) for lesson_id, at in home.lessons.items() if at is not None]
    for at, lesson_id in sorted(done, reverse=True):
        if lesson := catalog.lesson(lesson_id):
            yield Deed(lesson.text(lang()).front.title, url_for("lessons.lesson", lesson_id=lesson_id), "lesson", at)


def module_of(step: NextStep, catalog: Catalog) -> str:
    """The module in which the next step lies."""
    if exercise := catalog.exercise(step.id):
        return exercise.definition.module
    lesson = catalog.lesson(step.id)
    return lesson.front.module if lesson else ""


def exercise_title(catalog: Catalog, exercise_id: str) -> str:
    """An exercise's title, or its id once it has left the course."""
    exercise = catalog.exercise(exercise_id)
    return exercise.definition.title.get(lang()) if exercise else exercise_id


def minutes(count: int) -> str:
    """`12 minutes`."""
    return ngettext("%(num)s minute", "%(num)s minutes", count)


def time_left(until: datetime) -> str:
    """Whole minutes that remain."""
    left = max(0, int((until - now()).total_seconds() // 60))
    return ngettext("%(num)s minute left", "%(num)s minutes left", left)
