"""Checks that need the whole course: ids, links, prerequisites, and what modules, lessons and exercises say of each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from app.content.course import ModuleDef
from app.content.exercise import Exercise, ExerciseCatalog
from app.content.lesson import Lesson
from app.content.source import read_yaml
from app.content.text import LANGS
from app.errors import ContentInvalid, Problem


@dataclass(slots=True)
class Findings:
    """Faults, the lessons that they withhold, and remarks that withhold nothing."""

    problems: list[Problem] = field(default_factory=list)
    remarks: list[Problem] = field(default_factory=list)
    withheld: set[str] = field(default_factory=set)

    def withhold(self, lesson: Lesson, key: str, what: str, cure: str = "") -> None:
        self.problems.append(lesson.texts["en"].problem(key, what, cure))
        self.withheld.add(lesson.id)


def crosscheck(modules: Sequence[ModuleDef], lessons: Mapping[str, Lesson], exercises: ExerciseCatalog) -> Findings:
    """Compare everything with everything.

    Args:
        modules: what the course announces.
        lessons: what is written and readable so far, by id.
        exercises: what is written.
    """
    found = Findings()
    _unique(modules, found)
    for lesson in lessons.values():
        _fits_its_module(lesson, modules, found)
        _leads_somewhere(lesson, modules, lessons, found)
    _no_cycle(lessons, found)
    for exercise in exercises.exercises.values():
        found.remarks += _exercise(exercise, modules, lessons)
    return found


def _unique(modules: Sequence[ModuleDef], found: Findings) -> None:
    seen: dict[str, str] = {}
    for module in modules:
        for identity in [entry.id for entry in module.lessons] + [entry.id for entry in module.exercises]:
            if identity in seen:
                what = f"`{identity}` is announced twice, also in {seen[identity]}"
                found.problems.append(Problem(f"lessons/{module.id}/module.yaml", 1, what, "give one of them another id"))
            seen[identity] = f"lessons/{module.id}/module.yaml"


def _fits_its_module(lesson: Lesson, modules: Sequence[ModuleDef], found: Findings) -> None:
    module = next((module for module in modules if module.id == lesson.module_id), None)
    ids = [entry.id for entry in module.lessons] if module else []
    if module is None or lesson.id not in ids:
        found.withhold(lesson, "id", f"the module does not announce `{lesson.id}`", "add it to module.yaml")
        return
    entry = module.lessons[ids.index(lesson.id)]
    number = ids.index(lesson.id) + 1
    if number != lesson.front.order:
        found.withhold(lesson, "order", f"`order: {lesson.front.order}`, but module.yaml has it as number {number}")
    for lang in LANGS:
        text, title = lesson.texts[lang], entry.title.get(lang)
        if text.front.title != title:
            found.remarks.append(text.problem("title", f"module.yaml calls this lesson `{title}`", "make them equal"))
    english = lesson.texts["en"]
    if lesson.minutes != entry.minutes:
        found.remarks.append(english.problem("minutes", f"module.yaml says {entry.minutes} minutes", "make them equal"))
    if lesson.free != module.free:
        found.remarks.append(english.problem("free", f"module.yaml says `free: {str(module.free).lower()}`", "make them equal"))


def _leads_somewhere(lesson: Lesson, modules: Sequence[ModuleDef], lessons: Mapping[str, Lesson], found: Findings) -> None:
    announced = {"lesson": {e.id for m in modules for e in m.lessons}, "exercise": {e.id for m in modules for e in m.exercises}}
    for prerequisite in lesson.front.prerequisites:
        if prerequisite not in announced["lesson"]:
            found.withhold(lesson, "prerequisites", f"there is no lesson `{prerequisite}` in the course")
    if lesson.exercise_id and lesson.exercise_id not in announced["exercise"]:
        found.withhold(lesson, "exercise", f"there is no exercise `{lesson.exercise_id}` in the course")
    for lang in LANGS:
        text = lesson.texts[lang]
        for link, line in text.links:
            kind, _, target = link.partition(":")
            identity, _, anchor = target.partition("#")
            other = lessons.get(identity) if kind == "lesson" else None
            what = ""
            if identity not in announced[kind]:
                what = f"the link `{link}` leads nowhere: the course has no such {kind}"
            elif other and anchor and anchor not in {heading.anchor for heading in other.texts[lang].headings}:
                what = f"the link `{link}` leads nowhere: that lesson has no such heading"
            if what:
                found.problems.append(Problem(text.path, line, what))
                found.withheld.add(lesson.id)


def _no_cycle(lessons: Mapping[str, Lesson], found: Findings) -> None:
    graph = {lesson.id: [p for p in lesson.front.prerequisites if p in lessons] for lesson in lessons.values()}
    while graph:
        try:
            TopologicalSorter(graph).prepare()
            return
        except CycleError as error:
            cycle: list[str] = error.args[1][:-1]
            for lesson_id in cycle:
                what = f"prerequisites form a circle: {' -> '.join([*cycle, cycle[0]])}"
                found.withhold(lessons[lesson_id], "prerequisites", what, "remove one of them")
                graph.pop(lesson_id)
            graph = {key: [p for p in needs if p in graph] for key, needs in graph.items()}


def _exercise(exercise: Exercise, modules: Sequence[ModuleDef], lessons: Mapping[str, Lesson]) -> Iterator[Problem]:
    definition, path = exercise.definition, f"exercises/{exercise.id}/exercise.yaml"

    def fault(loc: tuple[str | int, ...], what: str, cure: str = "") -> Problem:
        try:
            return read_yaml(exercise.folder / "exercise.yaml", path).problem(loc, what, cure)
        except ContentInvalid:  # it was loaded a moment ago and is being edited right now
            return Problem(path, 1, what, cure)

    entry = next((e for m in modules if m.id == definition.module for e in m.exercises if e.id == exercise.id), None)
    if entry is None:
        yield fault(("module",), f"module `{definition.module}` does not announce this exercise", "add it to module.yaml")
    else:
        for name, mine, theirs in (("level", definition.level, entry.level), ("minutes", definition.minutes, entry.minutes),
                                   ("lesson", definition.lesson, entry.lesson)):  # fmt: skip
            if theirs is not None and mine != theirs:
                yield fault((name,), f"`{name}: {mine}`, but module.yaml says {theirs}", "make them equal")
    announced = {e.id for m in modules for e in m.lessons}
    for index, check in enumerate(definition.checks.items):
        place = ("checks", "items", index, "teaches")
        lesson_id, _, anchor = (check.teaches or "").partition("#")
        lesson = lessons.get(lesson_id)
        if check.teaches and lesson_id not in announced:
            yield fault(place, f"check `{check.id}` points to the lesson `{lesson_id}`, which the course does not have")
        elif lesson and anchor and anchor not in {heading.anchor for heading in lesson.texts["en"].headings}:
            yield fault(place, f"check `{check.id}` points to `{check.teaches}`, a heading that is not there")
