"""Loads the course: modules, lessons with ready HTML, exercises, and every fault found on the way.

`Library(settings…).catalog` is the door for processes that live long: it loads once and again after `./soty content reload`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from app.content.catalog import Catalog, ExerciseEntry, LessonEntry, Module
from app.content.course import CourseDef, ModuleDef
from app.content.crosscheck import crosscheck
from app.content.exercise import ExerciseCatalog
from app.content.generation import Generation, generation_file
from app.content.lesson import Lesson, load_lesson
from app.content.links import resolve
from app.content.markdown import Piece, render
from app.content.render_cache import RenderCache
from app.content.source import read_yaml
from app.content.text import LANGS, Lang
from app.errors import ContentInvalid, Problem
from app.settings import Settings

log = structlog.get_logger()
_TASK = TypeAdapter(tuple[str, tuple[Problem, ...]])


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
        return course.model_copy(update={"modules": list(dict.fromkeys(course.modules))})

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
