"""Start page for guests, Home for people; language, mark, and what this is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date, format_time
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app.content.catalog import Catalog
from app.db import now
from app.learning.home import NextStep
from app.web.comb import Cell, Comb, comb
from app.web.context import cases, visitor
from app.web.language import LANGUAGES, lang
from app.web.paths import local_path

blueprint = Blueprint("start", __name__)
FIRST_QUEUE = "r1-hello-queue"
MARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-9 -9 30 32"><g stroke="{ink}" stroke-width="1.6" fill="none">'
    '<path d="M8 0 4 6.93-4 6.93-8 0-4-6.93 4-6.93Z"/><path d="M8 13.86 4 20.8-4 20.8-8 13.86-4 6.93 4 6.93Z"/>'
    '<path fill="#f2b01e" d="M20 6.93 16 13.86 8 13.86 4 6.93 8 0 16 0Z"/></g></svg>'
)


@dataclass(frozen=True)
class Example:
    """A known wrong solution, the check that rejects it, and where its author should look."""

    exercise: str
    check: str
    why: str
    look: str


@dataclass(frozen=True)
class StartFacts:
    """Everything on the start page; all of it is read from the catalog and the proof records."""

    first_lesson: str
    first_queue: str
    summary: str
    written: int
    planned: int
    exercises: int
    comb: Comb
    example: Example | None
    proof: str


@dataclass(frozen=True)
class Step:
    """The one large next step of Home, in words."""

    kicker: str
    title: str
    about: str
    action: str
    url: str
    meta: str = ""


@blueprint.get("/")
def index() -> str:
    """Start page or Home."""
    person = visitor()
    catalog = cases().catalog
    if person is None:
        return render_template("start/index.html", facts=start_facts(catalog))
    home = cases().homes.of(person.id)
    return render_template(
        "start/home.html", home=home, step=step(home.next_step, catalog), clock=clock, titles=lambda key: title(catalog, key),
        drawing=course_comb(catalog, home.shares, module_of(home.next_step, catalog)),
    )  # fmt: skip


@blueprint.get("/about")
def about() -> str:
    """What this is, what it keeps, what protects whom."""
    return render_template("start/about.html")


@blueprint.post("/language")
def set_language() -> Response:
    """Remember the language and go back to the same place."""
    response = redirect(local_path(request.form.get("next"), url_for("start.index")))
    if (choice := request.form.get("lang")) in LANGUAGES:
        response.set_cookie("lang", choice, max_age=365 * 86400, samesite="Lax", httponly=True)
    return response  # type: ignore[return-value]


@blueprint.get("/icon.svg")
def icon() -> Response:
    """The mark, for tabs; cells in a grey that both light and dark tabs show."""
    response = Response(MARK.format(ink="#8a8170"), mimetype="image/svg+xml")
    response.headers["Cache-Control"] = "public, max-age=86400"
    return response


def start_facts(catalog: Catalog) -> StartFacts:
    """What is true today."""
    first = next(iter(catalog.lessons), None)
    return StartFacts(
        first_lesson=url_for("lessons.lesson", lesson_id=first) if first else "",
        first_queue=url_for("exercises.exercise", exercise_id=FIRST_QUEUE) if catalog.exercise(FIRST_QUEUE) else "",
        summary=catalog.course.summary.get(lang()) if catalog.course else "",
        written=len(catalog.lessons),
        planned=len(catalog.order),
        exercises=len(catalog.exercises.exercises),
        comb=course_comb(catalog, {}, ""),
        example=example(catalog),
        proof=proof_line(catalog),
    )


def example(catalog: Catalog) -> Example | None:
    """A real wrong solution of the first exercise about queues."""
    exercise = catalog.exercise(FIRST_QUEUE)
    if exercise is None:
        return None
    definition = exercise.definition
    mutant = definition.mutants[0]
    check = next(item for item in definition.checks.items if item.id == mutant.killed_by[0])
    look = definition.when_failed.get(check.id)
    return Example(definition.title.get(lang()), check.title.get(lang()), mutant.why.get(lang()), look.get(lang()) if look else "")


def proof_line(catalog: Catalog) -> str:
    """Figures of that exercise's proof record; empty while there is none."""
    exercise = catalog.exercise(FIRST_QUEUE)
    path = exercise.folder / "proof.json" if exercise else None
    if exercise is None or path is None or not path.is_file():
        return ""
    record = json.loads(path.read_text("utf-8"))
    day = format_date(datetime.fromisoformat(record["proved_at"]), "long", locale=lang())
    known = len(exercise.definition.mutants)
    return ngettext(
        "“%(title)s”: the reference passed %(runs)s runs, %(num)s known wrong solution was rejected, proved on %(day)s.",
        "“%(title)s”: the reference passed %(runs)s runs, %(num)s known wrong solutions were rejected, proved on %(day)s.",
        known, title=exercise.definition.title.get(lang()), runs=record["reference_runs"], day=day,
    )  # fmt: skip


def course_comb(catalog: Catalog, shares: Mapping[str, float], now_in: str) -> Comb:
    """The course as cells."""
    return comb([
        Cell(
            id=module.id, number=str(module.number), title=module.title.get(lang()), share=shares.get(module.id, 0.0), free=module.free,
            state="planned" if module.planned else "now" if module.id == now_in else "open",
            url=url_for("lessons.course") + f"#{module.id}",
        )
        for module in catalog.modules
    ])  # fmt: skip


def module_of(next_step: NextStep, catalog: Catalog) -> str:
    """The module in which the next step lies."""
    if exercise := catalog.exercise(next_step.id):
        return exercise.definition.module
    lesson = catalog.lesson(next_step.id)
    return lesson.front.module if lesson else ""


def title(catalog: Catalog, exercise_id: str) -> str:
    """An exercise's title, or its id once it has left the course."""
    exercise = catalog.exercise(exercise_id)
    return exercise.definition.title.get(lang()) if exercise else exercise_id


def step(next_step: NextStep, catalog: Catalog) -> Step:
    """A next step in words."""
    if exercise := catalog.exercise(next_step.id):
        definition = exercise.definition
        kicker = _("Go on with your exercise") if next_step.kind == "exercise-on" else _("Now in practice")
        return Step(kicker, definition.title.get(lang()), definition.goal.get(lang()), _("Open the exercise"),
                    url_for("exercises.exercise", exercise_id=exercise.id), minutes(definition.minutes))  # fmt: skip
    lesson = catalog.lesson(next_step.id)
    if lesson is None:
        return Step(_("Everything that is written"), _("You have finished all that exists today"),
                    _("More lessons are planned; the course page shows them."), _("To the course"), url_for("lessons.course"))  # fmt: skip
    front = lesson.text(lang()).front
    kicker = _("Go on reading") if next_step.kind == "lesson-on" else _("Your next lesson")
    return Step(kicker, front.title, front.summary, _("Continue") if next_step.kind == "lesson-on" else _("Read"),
                url_for("lessons.lesson", lesson_id=lesson.front.id), minutes(front.minutes))  # fmt: skip


def minutes(count: int) -> str:
    """`12 minutes`."""
    return ngettext("%(num)s minute", "%(num)s minutes", count)


def clock(moment: datetime) -> str:
    """Time of today, else the date and time, in the server's zone."""
    local = moment.astimezone()
    time = format_time(local, "short", locale=lang())
    return time if local.date() == now().astimezone().date() else f"{format_date(local, 'medium', locale=lang())}, {time}"
