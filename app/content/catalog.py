"""The course in memory. A `Catalog` never changes, so a request that took one sees one course."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

from app.content.course import CourseDef, ExerciseEntryDef, LessonEntryDef, Level, ModuleDef
from app.content.exercise import Exercise, ExerciseCatalog
from app.content.lesson import Lesson
from app.content.quiz import Quiz
from app.content.text import Lang, Text
from app.errors import Problem

_editions = count(1)


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
