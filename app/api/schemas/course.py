"""The course, its lessons and exercises."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.api.schemas.base import Out


class Me(Out):
    id: str
    name: str
    role: str
    language: str


class LessonLine(Out):
    id: str
    title: str
    minutes: int
    planned: bool
    free: bool
    exercise: str | None


class ExerciseLine(Out):
    id: str
    module: str
    lesson: str | None
    title: str
    level: str | None
    minutes: int | None
    planned: bool


class ModuleOut(Out):
    id: str
    title: str
    outcome: str
    free: bool
    lessons: list[LessonLine]
    exercises: list[ExerciseLine]


class Course(Out):
    id: str
    title: str
    summary: str
    languages: list[str]
    modules: list[ModuleOut]


class QuizOut(Out):
    """`options` in the order shown; answers name them by their number from 0."""

    id: str
    type: Literal["single", "multiple", "order", "number"]
    question: str
    options: list[str]
    unit: str


class Heading(Out):
    level: int
    text: str
    anchor: str


class LessonOut(Out):
    """`html` has `<div data-quiz="ID"></div>` where a quiz stands."""

    id: str
    module: str
    lang: str
    title: str
    summary: str
    minutes: int
    level: str
    free: bool
    goals: list[str]
    prerequisites: list[str]
    exercise: str | None
    terms: list[str]
    outline: list[Heading]
    html: str
    quizzes: list[QuizOut]
    previous: str | None
    next: str | None


class CheckInfo(Out):
    id: str
    title: str
    points: int
    needs: list[str]


class ServiceInfo(Out):
    name: str
    image: str
    given: bool
    start: str
    restart: str
    replicas: int
    about: str


class FileInfo(Out):
    path: str
    language: str
    editable: bool
    text: str


class Exercises(Out):
    exercises: list[ExerciseLine]


class ExerciseOut(ExerciseLine):
    goal: str
    free: bool
    task_html: str
    files: list[FileInfo] = Field(description="the starter")
    checks: list[CheckInfo]
    services: list[ServiceInfo]
    hints: int
