"""Start page for guests, Home for people; language, mark, and what this is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from babel.dates import format_date, format_time
from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask_babel import ngettext

from app.content.catalog import Catalog
from app.content.exercise import Exercise
from app.content.lesson import Lesson
from app.db import now
from app.web.comb import Cell, Comb, comb
from app.web.context import cases, visitor
from app.web.home_words import exercise_title, module_of, next_words, recent, time_left
from app.web.language import LANGUAGES, lang
from app.web.paths import local_path, without_language
from app.web.proof_words import everywhere_wrong, proof_day

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

    check: str
    why: str
    look: str


@dataclass(frozen=True)
class StartFacts:
    """Everything on the start page; all of it is read from the catalog and the proof records.

    `queue` is the first exercise about queues; the page shows its services and checks where it is there.
    """

    first: Lesson | None
    queue: Exercise | None
    summary: str
    written: int
    planned: int
    exercises: int
    comb: Comb
    example: Example | None
    proof: str


@blueprint.get("/")
def index() -> str:
    """Start page or Home."""
    person = visitor()
    catalog = cases().catalog
    if person is None:
        return render_template("start/index.html", facts=start_facts(catalog))
    home = cases().homes.of(person.id)
    return render_template(
        "start/home.html", home=home, step=next_words(home, catalog), recent=recent(home, catalog), clock=clock,
        time_left=time_left, titles=lambda key: exercise_title(catalog, key),
        drawing=course_comb(catalog, home.shares, module_of(home.next_step, catalog)),
        unseen_news=lambda: len(home.unseen) + len(home.answers),
    )  # fmt: skip


@blueprint.get("/about")
def about() -> str:
    """What this is, what it keeps, what protects whom."""
    return render_template("start/about.html")


@blueprint.post("/language")
def set_language() -> Response:
    """Remember the language and go back to the same place."""
    response = redirect(without_language(local_path(request.form.get("next"), url_for("start.index"))))
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
    queue = catalog.exercises.offered.get(FIRST_QUEUE)
    return StartFacts(
        first=next(iter(catalog.lessons.values()), None),
        queue=queue,
        summary=catalog.course.summary.get(lang()) if catalog.course else "",
        written=len(catalog.lessons),
        planned=len(catalog.order),
        exercises=len(catalog.exercises.offered),
        comb=course_comb(catalog, {}, ""),
        example=example(queue) if queue else None,
        proof=proof_line(catalog),
    )


def example(exercise: Exercise) -> Example:
    """The first known wrong solution, as its author describes it."""
    definition = exercise.definition
    mutant = definition.mutants[0]
    check = next(item for item in definition.checks.items if item.id == mutant.killed_by[0])
    look = definition.when_failed.get(check.id)
    return Example(check.title.get(lang()), mutant.why.get(lang()), look.get(lang()) if look else "")


def proof_line(catalog: Catalog) -> str:
    """Figures of the first good proof, the exercise about queues before others; empty while there is none."""
    for exercise in sorted(catalog.exercises.offered.values(), key=lambda one: one.id != FIRST_QUEUE):
        if (proof := exercise.proof) is None:
            continue
        known = ngettext(
            "“%(title)s”: the reference passed %(runs)s runs, %(num)s known wrong solution was rejected, proved on %(day)s.",
            "“%(title)s”: the reference passed %(runs)s runs, %(num)s known wrong solutions were rejected, proved on %(day)s.",
            len(proof.mutants), title=exercise.definition.title.get(lang()), runs=proof.reference_passed, day=proof_day(proof),
        )  # fmt: skip
        return f"{known} {everywhere_wrong(proof)}"
    return ""


def course_comb(catalog: Catalog, shares: Mapping[str, float], now_in: str) -> Comb:
    """The course as cells."""
    return comb([
        Cell(
            id=module.id, number=str(module.number), title=module.title.get(lang()),
            share=shares.get(module.id, 0.0), free=module.free,
            state="planned" if module.planned else "now" if module.id == now_in else "open",
            url=url_for("lessons.course") + f"#{module.id}",
        )
        for module in catalog.modules
    ])  # fmt: skip


def clock(moment: datetime) -> str:
    """Time of today, else the date and time, in the server's zone."""
    local = moment.astimezone()
    time = format_time(local, "short", locale=lang())
    return time if local.date() == now().astimezone().date() else f"{format_date(local, 'medium', locale=lang())}, {time}"
