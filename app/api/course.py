"""The course, its lessons and its exercises, to read."""

from __future__ import annotations

from html import escape

from app.api import schemas as s
from app.api.context import cases, language, viewer, visitor
from app.api.operations import operation
from app.content.catalog import Catalog, ExerciseEntry, LessonEntry
from app.content.exercise import Exercise
from app.content.lesson import Lesson
from app.content.text import Lang
from app.errors import NotFound, SignInNeeded


@operation("GET", "/me", reply=s.Me)
def me() -> s.Me:
    """Who you are."""
    viewer()
    return s.Me.model_validate(visitor())


@operation("GET", "/course", access="anyone", query=s.LangQuery, reply=s.Course)
def course(query: s.LangQuery) -> s.Course:
    """The course: modules with their lessons and exercises, planned ones included."""
    lang, catalog = language(query.lang), cases().catalog
    if catalog.course is None:
        raise NotFound("The course cannot be read.", code="no-course")
    return s.Course(
        id=catalog.course.id,
        title=catalog.course.title.get(lang),
        summary=catalog.course.summary.get(lang),
        languages=list(catalog.course.languages),
        modules=[
            s.ModuleOut(
                id=module.id,
                title=module.title.get(lang),
                outcome=module.outcome.get(lang),
                free=module.free,
                lessons=[_lesson_line(entry, lang) for entry in module.lessons],
                exercises=[_exercise_line(entry, lang) for entry in module.exercises],
            )
            for module in catalog.modules
        ],
    )


@operation("GET", "/lessons/<lesson_id>", access="anyone", query=s.LangQuery, reply=s.LessonOut)
def lesson(lesson_id: str, query: s.LangQuery) -> s.LessonOut:
    """One lesson as HTML with its quizzes; lessons that are not free need an account."""
    catalog, lang = cases().catalog, language(query.lang)
    found = catalog.lesson(lesson_id)
    if found is None:
        raise NotFound("There is no such lesson.", code="no-such-lesson")
    if not found.free and visitor() is None:
        raise SignInNeeded
    return _lesson(catalog, found, lang)


@operation("GET", "/exercises", access="anyone", query=s.LangQuery, reply=s.Exercises)
def exercises(query: s.LangQuery) -> s.Exercises:
    """All exercises, planned ones included."""
    lang = language(query.lang)
    entries = [entry for module in cases().catalog.modules for entry in module.exercises]
    return s.Exercises(exercises=[_exercise_line(entry, lang) for entry in entries])


@operation("GET", "/exercises/<exercise_id>", access="anyone", query=s.LangQuery, reply=s.ExerciseOut)
def exercise(exercise_id: str, query: s.LangQuery) -> s.ExerciseOut:
    """One exercise: its task, starter files, services and checks."""
    catalog, lang = cases().catalog, language(query.lang)
    found = catalog.exercise(exercise_id)
    if found is None:
        raise NotFound("There is no such exercise.", code="no-such-exercise")
    found.require_offered()
    return _exercise(catalog, found, lang)


def _lesson_line(entry: LessonEntry, lang: Lang) -> s.LessonLine:
    return s.LessonLine(
        id=entry.id,
        title=entry.title.get(lang),
        minutes=entry.minutes,
        planned=entry.lesson is None,
        free=bool(entry.lesson and entry.lesson.free),
        exercise=entry.lesson.exercise_id if entry.lesson else None,
    )


def _exercise_line(entry: ExerciseEntry, lang: Lang) -> s.ExerciseLine:
    return s.ExerciseLine(
        id=entry.id,
        module=entry.module_id,
        lesson=entry.lesson_id,
        title=entry.title.get(lang),
        level=entry.level,
        minutes=entry.minutes,
        planned=entry.exercise is None,
    )


def _lesson(catalog: Catalog, found: Lesson, lang: Lang) -> s.LessonOut:
    text, (before, after) = found.text(lang), catalog.neighbours(found.id)
    front = text.front
    html = "".join(
        f'<div data-quiz="{escape(text.quizzes[piece.quiz].id)}"></div>' if piece.quiz >= 0 else piece.html
        for piece in text.pieces
    )
    return s.LessonOut(
        id=found.id,
        module=found.module_id,
        lang=lang,
        title=front.title,
        summary=front.summary,
        minutes=front.minutes,
        level=front.level,
        free=front.free,
        goals=list(front.goals),
        prerequisites=list(front.prerequisites),
        exercise=front.exercise,
        terms=list(front.terms),
        outline=[s.Heading.model_validate(heading) for heading in text.headings],
        html=html,
        quizzes=[
            s.QuizOut(id=q.id, type=q.type, question=q.question, options=list(q.shown_texts), unit=q.unit) for q in text.quizzes
        ],
        previous=before.id if before else None,
        next=after.id if after and after.lesson else None,
    )


def _exercise(catalog: Catalog, found: Exercise, lang: Lang) -> s.ExerciseOut:
    definition = found.definition
    languages = {item.path: item.language for item in definition.workspace.editable}
    given_to_read = [path for path in found.starter if path not in languages]
    files = [
        s.FileInfo(path=path, language=languages.get(path, "text"), editable=path in languages, text=found.starter[path])
        for path in (*languages, *given_to_read)
    ]
    services = [
        s.ServiceInfo(
            name=name, image=service.image, given=service.given, start=service.start, restart=service.restart,
            replicas=service.replicas, about=service.about.get(lang) if service.about else "",
        )
        for name, service in definition.sandbox.services.items()
    ]  # fmt: skip
    return s.ExerciseOut(
        id=found.id,
        module=definition.module,
        lesson=definition.lesson,
        title=definition.title.get(lang),
        level=definition.level,
        minutes=definition.minutes,
        planned=False,
        goal=definition.goal.get(lang),
        free=definition.free,
        task_html=catalog.task_html(found.id, lang),
        files=files,
        checks=[
            s.CheckInfo(id=check.id, title=check.title.get(lang), points=check.points, needs=list(check.needs))
            for check in definition.checks.items
        ],
        services=services,
        hints=len(definition.hints),
    )
