"""The course page, the pages of lessons, and answers to their quizzes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _

from app.content.catalog import Catalog, LessonEntry
from app.content.lesson import Lesson
from app.content.quiz import Judgement, Quiz
from app.errors import InvalidInput, NotFound, SignInNeeded
from app.learning.lesson_page import GUEST, Reader
from app.web.context import cases, user, visitor
from app.web.form_session import form_token
from app.web.headers import allow_inline_styles
from app.web.home_words import module_of
from app.web.language import lang
from app.web.lesson_fragments import with_token
from app.web.lesson_parts import as_everybody, frame, lesson_page
from app.web.paths import local_path
from app.web.public_pages import PublicPages
from app.web.quiz_forms import marked, read_answer
from app.web.start import course_comb

blueprint = Blueprint("lessons", __name__)
blueprint.add_app_template_filter(marked, "marked")
MAX_GUEST_ITEMS = 300
public_pages = PublicPages()


@blueprint.get("/course")
def course() -> str:
    """The whole course: a comb of modules and the list that says the same."""
    catalog, person = cases().catalog, visitor()
    home = cases().homes.of(person.id) if person else None
    step = home.next_step if home else None
    return render_template(
        "lessons/course.html", catalog=catalog, home=home, step=step, go_on=_go_on(catalog, step.id if step else ""),
        drawing=course_comb(catalog, home.shares if home else {}, module_of(step, catalog) if step else ""),
    )  # fmt: skip


@blueprint.get("/lessons/<lesson_id>")
def lesson(lesson_id: str) -> Any:
    """One lesson."""
    found = _lesson(lesson_id)
    if visitor() is None and found.free and as_everybody():
        return public_pages.answer(cases().catalog.edition, lambda: _written(found))
    if visitor() is None and not found.free:
        return render_template("lessons/closed.html", **frame(cases().catalog, found, found.text(lang()), GUEST)), 401
    return _page(found, again=request.args.get("again", ""))


@blueprint.post("/lessons/<lesson_id>/reading")
def reading(lesson_id: str) -> Any:
    """Remember that a lesson was opened, done, or is not done after all."""
    found, person = _lesson(lesson_id), user()
    state = request.form.get("state")
    if state == "opened":
        cases().reading.opened(person.id, found.id)
    elif state in ("done", "undone"):
        cases().reading.done(person.id, found.id, done=state == "done")
    else:
        raise InvalidInput("A lesson is `opened`, `done` or `undone`.", code="bad-state")
    if request.headers.get("HX-Request"):
        return Response(status=204)
    return redirect(local_path(request.form.get("next"), url_for("lessons.lesson", lesson_id=found.id)), 303)


@blueprint.post("/quizzes/<quiz_id>")
def answer(quiz_id: str) -> Any:
    """Judge an answer: a fragment for scripts, else the lesson with the reasons in it. Stored for people, not for guests."""
    found = cases().catalog.quiz(quiz_id, lang())
    if found is None:
        raise NotFound("There is no such quiz.", code="no-such-quiz")
    lesson, quiz = found
    if visitor() is None and not lesson.free:
        raise SignInNeeded
    try:
        return _answered(lesson, quiz, _judge(quiz, read_answer(quiz, request.form)))
    except InvalidInput:
        return _unanswered(lesson, quiz)


@blueprint.post("/guest-work")
def guest_work() -> Response:
    """Take over what a guest's browser kept: `{"answers": {quiz: answer}, "lessons": [done ids]}`."""
    person, sent = user(), request.get_json()
    answers, lessons = (sent.get("answers", {}), sent.get("lessons", [])) if isinstance(sent, dict) else (None, None)
    if not isinstance(answers, dict) or not isinstance(lessons, list):
        raise InvalidInput("Answers and lessons are expected.", code="bad-guest-work")
    stored = cases().quizzes.import_answers(person.id, answers)
    known = {key for key in lessons[:MAX_GUEST_ITEMS] if isinstance(key, str) and cases().catalog.lesson(key)}
    for lesson_id in sorted(known):
        cases().reading.done(person.id, lesson_id)
    return jsonify(answers=stored, lessons=len(known))


def _lesson(lesson_id: str) -> Lesson:
    found = cases().catalog.lesson(lesson_id)
    if found is None:
        planned = cases().catalog.entry(lesson_id)
        raise NotFound(_("This lesson is planned and not written yet.") if planned else None, code="no-such-lesson")
    return found


def _judge(quiz: Quiz, given: object) -> Judgement:
    person = visitor()
    if person is None or "kept" in request.form:
        return cases().quizzes.judge(quiz.id, given, lang())
    return cases().quizzes.answer(person.id, quiz.id, given, lang())


def _answered(lesson: Lesson, quiz: Quiz, judgement: Judgement) -> Any:
    if request.headers.get("HX-Request"):
        return render_template(
            "lessons/_quiz.html", quiz=quiz, judgement=judgement, lesson_id=lesson.id, guest=visitor() is None, fresh=True
        )
    if visitor() is not None:
        return redirect(url_for("lessons.lesson", lesson_id=lesson.id) + f"#quiz-{quiz.id}", 303)
    return _page(lesson, judged={quiz.id: judgement})


def _unanswered(lesson: Lesson, quiz: Quiz) -> tuple[str, int]:
    note = _("Choose an answer first.")
    if quiz.type == "number":
        note = _("Write a number, for example 12 or 0.5.")
    elif quiz.type == "order":
        note = _("Give every step a place of its own.")
    if request.headers.get("HX-Request"):
        return render_template("lessons/_quiz.html", quiz=quiz, judgement=None, lesson_id=lesson.id, note=note), 422
    return _page(lesson, notes={quiz.id: note}, again=quiz.id), 422


def _page(lesson: Lesson, **shown: Any) -> str:
    return with_token(_written(lesson, **shown), form_token())


def _written(
    lesson: Lesson, *, judged: Mapping[str, Judgement] | None = None, notes: Mapping[str, str] | None = None, again: str = ""
) -> str:
    """The page before this request's CSRF token is put in."""
    person = visitor()
    reader = GUEST
    if person is not None:
        reader = cases().pages.reader(person.id, lesson.module_id, lesson.id, lesson.exercise_id)
    text = lesson.text(lang())
    if text.diagrams:
        allow_inline_styles()
    answered = {quiz.id: _stored(quiz, reader) for quiz in text.quizzes if quiz.id != again} | dict(judged or {})
    return lesson_page(cases().catalog, lesson, text, reader, answered, notes or {})


def _stored(quiz: Quiz, reader: Reader) -> Judgement | None:
    """How the stored answer fares; None where there is none, or where it no longer fits the quiz."""
    given = reader.answers.get(quiz.id)
    try:
        return None if given is None else quiz.judge(given)
    except InvalidInput:
        return None


def _go_on(catalog: Catalog, step_id: str) -> LessonEntry | None:
    """The lesson to go on with; the first one for guests."""
    entry = catalog.entry(step_id)
    return entry if entry and entry.lesson else next((entry for entry in catalog.order if entry.lesson), None)
