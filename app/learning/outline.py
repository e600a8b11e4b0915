"""The course as overviews need it: ids in order, without texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LessonOutline:
    """A lesson that exists. `exercise_id`: the exercise that belongs to it, if there is one."""

    id: str
    exercise_id: str | None = None


@dataclass(frozen=True, slots=True)
class ModuleOutline:
    """A module with its lessons; planned ones are not among them."""

    id: str
    lessons: tuple[LessonOutline, ...]


@dataclass(frozen=True, slots=True)
class CourseOutline:
    """The course in order."""

    modules: tuple[ModuleOutline, ...] = ()

    def lessons(self) -> Iterator[LessonOutline]:
        """Every lesson, in course order."""
        for module in self.modules:
            yield from module.lessons

    @property
    def exercise_ids(self) -> tuple[str, ...]:
        return tuple(lesson.exercise_id for lesson in self.lessons() if lesson.exercise_id)
