"""`course.yaml`, `module.yaml` and the front matter of lessons: the pydantic models are the schemas."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from app.content.text import Lang, Slug, Strict, Text

Level = Literal["easy", "medium", "hard"]
LessonId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+-l[0-9]{2}$", max_length=24)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True, pattern=r"^[^\n]+$")]


class CourseDef(Strict):
    """`course.yaml`."""

    id: Slug
    title: Text
    summary: Text
    languages: list[Lang] = Field(min_length=2, max_length=2)
    modules: list[Slug] = Field(min_length=1)


class LessonEntryDef(Strict):
    """A lesson as its module announces it, written or planned."""

    id: LessonId
    title: Text
    minutes: int = Field(ge=1, le=60)


class ExerciseEntryDef(Strict):
    """An exercise as its module announces it, written or planned."""

    id: Slug
    title: Text
    level: Level | None = None
    minutes: int | None = Field(default=None, ge=5, le=240)
    lesson: LessonId | None = None


class ModuleDef(Strict):
    """`<module>/module.yaml`."""

    id: Slug
    title: Text
    free: bool = False
    outcome: Text
    lessons: list[LessonEntryDef] = Field(default=[])
    exercises: list[ExerciseEntryDef] = Field(default=[])

    @model_validator(mode="after")
    def _ids_belong_here(self) -> Self:
        for lesson in self.lessons:
            if not lesson.id.startswith(f"{self.id}-"):
                raise ValueError(f"lesson `{lesson.id}` must begin with `{self.id}-`")
        return self


class FrontMatter(Strict):
    """The head of a lesson's file, between two `---` lines."""

    id: LessonId
    module: Slug
    order: int = Field(ge=1, le=99)
    lang: Lang
    title: Line
    summary: Line
    minutes: int = Field(ge=1, le=60)
    level: Level
    free: bool
    goals: list[Line] = Field(min_length=1, max_length=8)
    prerequisites: list[LessonId] = Field(default=[])
    exercise: Slug | None = None
    terms: list[Line] = Field(default=[])
