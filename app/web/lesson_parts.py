"""A lesson's page. Most of its parts are the same for many readers: they are rendered once for each state of a reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import render_template, request, session
from markupsafe import Markup, escape

from app.content.catalog import Catalog
from app.content.lesson import Lesson
from app.content.lesson_text import LessonText
from app.content.quiz import Judgement
from app.learning.lesson_page import Reader
from app.web.context import short_name, visitor
from app.web.lesson_fragments import TOKEN, Fragments, hole

fragments = Fragments()


def lesson_page(
    catalog: Catalog,
    lesson: Lesson,
    text: LessonText,
    reader: Reader,
    answered: Mapping[str, Judgement | None],
    notes: Mapping[str, str],
) -> str:
    """The whole page, with `lesson_fragments.TOKEN` in its forms.

    Args:
        answered: quiz id -> how its answer fared; None or absent asks the question.
        notes: quiz id -> why an answer could not be used.
    """
    person = visitor()
    parts = _parts(catalog, lesson, text, reader, answered, notes, guest=person is None)
    shown = {"lesson": lesson, "text": text, "unseen_news": lambda: reader.unseen}
    if person is None or not as_everybody():
        return render_template("lessons/lesson.html", **shown, parts=parts, csrf_token=lambda: TOKEN)
    key = (catalog.edition, request.full_path, text.lang, person.role, reader.unseen, request.cookies.get("theme", "")[:8])
    filling = {**parts, "name": escape(short_name(person))}
    return fragments.fill("lessons/lesson.html", key, filling, **shown, short_name=lambda _person: hole("name"))


def as_everybody() -> bool:
    """Whether this request has nothing of its own to show: no unread message, and no query string but the language."""
    return set(request.args) <= {"lang"} and "_flashes" not in session and request.method in ("GET", "HEAD")


def _parts(
    catalog: Catalog,
    lesson: Lesson,
    text: LessonText,
    reader: Reader,
    answered: Mapping[str, Judgement | None],
    notes: Mapping[str, str],
    *,
    guest: bool,
) -> dict[str, Markup]:
    around = frame(catalog, lesson, text, reader)
    page = (catalog.edition, text.lang, lesson.id)
    done = reader.lessons.get(lesson.id, False)
    read = frozenset(key for key, finished in reader.lessons.items() if finished)

    def question(number: int, anchor: str) -> str:
        quiz = text.quizzes[number]
        judgement, note = answered.get(quiz.id), notes.get(quiz.id, "")
        key = (*page, quiz.id, judgement and judgement.answer, note, guest)
        section = fragments.render(
            "lessons/_quiz.html", key, quiz=quiz, judgement=judgement, lesson_id=lesson.id, note=note, guest=guest
        )
        return f'<div class="quiz-place" id="{escape(anchor)}">{section}</div>'

    body = "".join([piece.html if piece.quiz < 0 else question(piece.quiz, piece.anchor) for piece in text.pieces])
    standing = (done, reader.passed, bool(reader.verdicts), guest)
    return {
        "side": fragments.render("lessons/_side.html", (*page, read), **around),
        "head": fragments.render("lessons/_head.html", (*page, done), **around),
        "outline": fragments.render("lessons/_outline.html", page, text=text),
        "body": Markup(body),  # noqa: S704 - cleaned by the renderer, or escaped by our template
        "foot": fragments.render("lessons/_foot.html", (*page, *standing), guest=guest, **around),
    }


def frame(catalog: Catalog, lesson: Lesson, text: LessonText, reader: Reader) -> dict[str, Any]:
    """What the templates around a text need."""
    before, after = catalog.neighbours(lesson.id)
    return {
        "lesson": lesson, "text": text, "reader": reader, "module": catalog.module(lesson.module_id),
        "before": before, "after": after, "exercise": catalog.exercise_entry(lesson.exercise_id or ""),
        "needed": [entry for key in lesson.front.prerequisites if (entry := catalog.entry(key))],
    }  # fmt: skip
