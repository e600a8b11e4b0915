"""The course in memory: modules, lessons with ready HTML, exercises, and every fault found on the way.

`Library(settings…).catalog` is the door for processes that live long: it loads once and again after `./soty content reload`.
A `Catalog` never changes, so a request that took one sees one course. The task of an exercise is ready HTML:
`catalog.task_html(exercise_id, lang)`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from app.content.course import CourseDef, ExerciseEntryDef, LessonEntryDef, Level, ModuleDef
from app.content.crosscheck import crosscheck
from app.content.exercise import LANGS, Exercise, ExerciseCatalog, Lang, Text
from app.content.generation import Generation, generation_file
from app.content.lesson import Lesson, load_lesson
from app.content.links import resolve
from app.content.markdown import Piece, render
from app.content.quiz import Quiz
from app.content.render_cache import RenderCache
from app.content.source import read_yaml
from app.errors import ContentInvalid, Problem
from app.settings import Settings

log = structlog.get_logger()
_editions = count(1)
_TASK = TypeAdapter(tuple[str, tuple[Problem, ...]])


@dataclass(frozen=True)
class LessonEntry:
    """A lesson's place in the course. `lesson` is None while it is planned or withheld for its faults."""

    definition: LessonEntryDef
    module_id: str
    number: int  #: in its module, from 1
    lesson: Lesson | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def title(self) -> Text:
        return self.definition.title

    @property
    def minutes(self) -> int:
        return self.definition.minutes


@dataclass(frozen=True)
class ExerciseEntry:
    """An exercise's place in the course. `exercise` is None while it is planned, or withheld: faulty or not proven."""

    definition: ExerciseEntryDef
    module_id: str
    exercise: Exercise | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def title(self) -> Text:
        return self.exercise.definition.title if self.exercise else self.definition.title

    @property
    def level(self) -> Level | None:
        return self.exercise.definition.level if self.exercise else self.definition.level

    @property
    def minutes(self) -> int | None:
        return self.exercise.definition.minutes if self.exercise else self.definition.minutes

    @property
    def lesson_id(self) -> str | None:
        return self.definition.lesson


@dataclass(frozen=True)
class Module:
    """A module with everything it announces, in order."""

    definition: ModuleDef
    number: int  #: in the course, from 1
    lessons: tuple[LessonEntry, ...]
    exercises: tuple[ExerciseEntry, ...]

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def title(self) -> Text:
        return self.definition.title

    @property
    def outcome(self) -> Text:
        return self.definition.outcome

    @property
    def free(self) -> bool:
        return self.definition.free

    @property
    def minutes(self) -> int:
        """Reading and practice of what is there today."""
        return sum(entry.minutes for entry in self.lessons if entry.lesson) + sum(
            entry.minutes or 0 for entry in self.exercises if entry.exercise
        )

    @cached_property
    def open_lessons(self) -> tuple[LessonEntry, ...]:
        """Lessons that can be read today."""
        return tuple(entry for entry in self.lessons if entry.lesson)

    @cached_property
    def open_exercises(self) -> tuple[ExerciseEntry, ...]:
        """Exercises that can be opened today."""
        return tuple(entry for entry in self.exercises if entry.exercise)

    @property
    def planned(self) -> bool:
        """Whether nothing of it can be opened yet."""
        return not self.open_lessons and not self.open_exercises


@dataclass(frozen=True)
class Catalog:
    """One state of the course.

    Attributes:
        course: None when `course.yaml` itself cannot be read.
        lessons: what can be read, by id, in course order.
        exercises: what is written, with `get`, `exercises`, `offered` and `problems` (`ExerciseCatalog`).
        problems: faults that withhold a module, lesson or exercise.
        remarks: where something served falls short of the standard (word counts, code length…).
        edition: differs between any two loads of this process, for caches of what is made from a catalog.
    """

    course: CourseDef | None
    modules: tuple[Module, ...]
    lessons: Mapping[str, Lesson]
    exercises: ExerciseCatalog
    problems: tuple[Problem, ...]
    remarks: tuple[Problem, ...] = ()
    tasks: Mapping[tuple[str, Lang], str] = field(default_factory=dict, repr=False)
    edition: int = field(default_factory=_editions.__next__, compare=False)

    def lesson(self, lesson_id: str) -> Lesson | None:
        return self.lessons.get(lesson_id)

    def exercise(self, exercise_id: str) -> Exercise | None:
        """What is written, offered or not: what was done in it stays readable."""
        return self.exercises.get(exercise_id)

    def module(self, module_id: str) -> Module | None:
        return self._modules.get(module_id)

    def entry(self, lesson_id: str) -> LessonEntry | None:
        """A lesson's place, written or planned."""
        position = self._positions.get(lesson_id)
        return None if position is None else self.order[position]

    def exercise_entry(self, exercise_id: str) -> ExerciseEntry | None:
        """An exercise's place, written or planned."""
        return self._exercise_entries.get(exercise_id)

    def neighbours(self, lesson_id: str) -> tuple[LessonEntry | None, LessonEntry | None]:
        """The readable lesson before, and the next one, which may be planned."""
        position = self._positions.get(lesson_id)
        if position is None:
            return None, None
        before = next((entry for entry in reversed(self.order[:position]) if entry.lesson), None)
        readable = next((entry for entry in self.order[position + 1 :] if entry.lesson), None)
        planned = self.order[position + 1] if position + 1 < len(self.order) else None
        return before, readable or planned

    def quiz(self, quiz_id: str, lang: str = "en") -> tuple[Lesson, Quiz] | None:
        """A quiz by id with the lesson that asks it."""
        lesson = self.lessons.get(quiz_id.rpartition("-")[0])
        quiz = lesson.quiz(quiz_id, lang) if lesson else None
        return (lesson, quiz) if lesson and quiz else None

    def task_html(self, exercise_id: str, lang: str) -> str:
        """The task of an exercise as safe HTML; empty for an unknown exercise."""
        return self.tasks.get((exercise_id, "ru" if lang == "ru" else "en"), "")

    @cached_property
    def order(self) -> tuple[LessonEntry, ...]:
        """All lessons of the course, written or planned, in reading order."""
        return tuple(entry for module in self.modules for entry in module.lessons)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {entry.id: position for position, entry in enumerate(self.order)}

    @cached_property
    def _modules(self) -> dict[str, Module]:
        return {module.id: module for module in self.modules}

    @cached_property
    def _exercise_entries(self) -> dict[str, ExerciseEntry]:
        return {entry.id: entry for module in self.modules for entry in module.exercises}


def load_catalog(lessons_dir: Path, exercises_dir: Path, cache_dir: Path | None = None) -> Catalog:
    """Load the whole course; never raises for what authors wrote.

    Args:
        cache_dir: where rendered texts are kept; None renders everything anew.
    """
    return _Loading(lessons_dir, exercises_dir, RenderCache(cache_dir and cache_dir / "texts")).catalog()


class _Loading:
    """The steps of one load, and the faults met so far."""

    def __init__(self, lessons_dir: Path, exercises_dir: Path, cache: RenderCache) -> None:
        self.folder, self.cache = lessons_dir, cache
        self.problems: list[Problem] = []
        self.exercises = ExerciseCatalog(exercises_dir)

    def catalog(self) -> Catalog:
        course = self.course()
        definitions = [found for found in map(self.module, course.modules if course else ()) if found]
        written = {lesson.id: lesson for definition in definitions for lesson in self.lessons(definition)}
        found = crosscheck(definitions, written, self.exercises)
        self.problems += found.problems
        for lesson_id in found.withheld:
            written.pop(lesson_id, None)
        announced = {entry.id for definition in definitions for entry in definition.lessons}
        opened = {kind: set(ids) for kind, ids in (("lesson", written), ("exercise", self.exercises.offered))}

        def exists(kind: str, identity: str) -> bool:
            return identity in opened[kind]

        linked = {
            lesson_id: replace(lesson, texts={lang: replace(text, pieces=tuple(
                Piece(resolve(piece.html, lang, exists), piece.quiz, piece.anchor) for piece in text.pieces
            )) for lang, text in lesson.texts.items()})
            for lesson_id, lesson in written.items() if lesson_id in announced
        }  # fmt: skip
        modules = tuple(
            Module(
                definition, number,
                tuple(LessonEntry(e, definition.id, n, linked.get(e.id)) for n, e in enumerate(definition.lessons, 1)),
                tuple(ExerciseEntry(e, definition.id, self.exercises.offered.get(e.id)) for e in definition.exercises),
            )
            for number, definition in enumerate(definitions, 1)
        )  # fmt: skip
        ordered = {entry.id: entry.lesson for module in modules for entry in module.lessons if entry.lesson}
        tasks = {key: resolve(html, key[1], exists) for key, html in self.tasks()}
        remarks = [*found.remarks, *(remark for lesson in ordered.values() for remark in lesson.remarks)]
        problems = (*self.problems, *self.exercises.problems)
        return Catalog(course, modules, ordered, self.exercises, _sorted(problems), _sorted(remarks), tasks)

    def course(self) -> CourseDef | None:
        try:
            source = read_yaml(self.folder / "course.yaml", "lessons/course.yaml")
            course = source.parse(CourseDef)
        except ContentInvalid as error:
            self.problems += error.problems
            return None
        for number, module_id in enumerate(course.modules):
            if module_id in course.modules[:number]:
                self.problems.append(source.problem(("modules", number), f"module `{module_id}` is named twice"))
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir() and (path / "module.yaml").exists()):
            if folder.name not in course.modules:
                what = f"the course does not name the module `{folder.name}`"
                self.problems.append(source.problem(("modules",), what, "add it or remove its folder"))
        return replace_modules(course)

    def module(self, module_id: str) -> ModuleDef | None:
        shown = f"lessons/{module_id}/module.yaml"
        try:
            source = read_yaml(self.folder / module_id / "module.yaml", shown)
            module = source.parse(ModuleDef)
        except ContentInvalid as error:
            self.problems += error.problems
            return None
        if module.id != module_id:
            self.problems.append(source.problem(("id",), f"id `{module.id}` differs from the folder's name `{module_id}`"))
            return None
        return module

    def lessons(self, module: ModuleDef) -> Iterator[Lesson]:
        folder = self.folder / module.id
        for path in sorted(path for path in folder.iterdir() if path.is_dir()):
            try:
                yield load_lesson(path, f"lessons/{module.id}/{path.name}", self.cache)
            except ContentInvalid as error:
                self.problems += error.problems

    def tasks(self) -> Iterator[tuple[tuple[str, Lang], str]]:
        for exercise in self.exercises.exercises.values():
            for lang in LANGS:
                shown = f"exercises/{exercise.id}/{exercise.definition.task[lang]}"
                html, problems = self.task(exercise.task_text(lang), lang, shown)
                self.problems += problems
                yield (exercise.id, lang), html

    def task(self, source: str, lang: Lang, shown: str) -> tuple[str, tuple[Problem, ...]]:
        key = self.cache.key("task", lang, shown, source)
        if (stored := self.cache.get(key)) is not None:
            try:
                return _TASK.validate_json(stored)
            except ValueError:
                log.info("damaged-cache-entry", path=shown)
        rendered = render(source, lang, shown)
        value = (rendered.html, rendered.problems)
        self.cache.put(key, _TASK.dump_json(value))
        return value


def replace_modules(course: CourseDef) -> CourseDef:
    """The course with each module named once."""
    return course.model_copy(update={"modules": list(dict.fromkeys(course.modules))})


def _sorted(problems: tuple[Problem, ...] | list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(set(problems), key=lambda problem: (problem.path, problem.line, problem.what)))


class Library:
    """The newest catalog of a running process; safe to share between threads.

    Args:
        settings: folders of the course, and SOTY_HOME for the cache and for the word to reload.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._generation = Generation(generation_file(settings.home))
        self._catalog = self._load()

    @property
    def catalog(self) -> Catalog:
        """The course; loaded anew when somebody asked for it, by one thread while the others keep the old one."""
        if self._lock.acquire(blocking=False):
            try:
                if self._generation.changed():
                    self._renew()
            finally:
                self._lock.release()
        return self._catalog

    def _renew(self) -> None:
        fresh = self._load()
        if fresh.course is None:  # a broken course.yaml must not empty a running course
            fresh = replace(self._catalog, problems=_sorted([*self._catalog.problems, *fresh.problems]))
        self._catalog = fresh

    def _load(self) -> Catalog:
        catalog = load_catalog(self._settings.lessons_dir, self._settings.exercises_dir, self._settings.cache_dir)
        log.info("content-loaded", lessons=len(catalog.lessons), exercises=len(catalog.exercises.exercises),
                 problems=len(catalog.problems), remarks=len(catalog.remarks))  # fmt: skip
        return catalog
