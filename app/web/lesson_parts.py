"""The parts of a lesson's page. Most are the same for many readers: they are rendered once for each state of a reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.content.catalog import Catalog
from app.content.lesson import Lesson, LessonText
from app.content.quiz import Judgement
from app.learning.lesson_page import Reader
from app.web.lesson_fragments import Fragments

fragments = Fragments()


@dataclass(frozen=True, slots=True)
class LessonParts:
    """Ready HTML."""

    side: Markup
    head: Markup
    outline: Markup
    body: Markup
    foot: Markup


def lesson_parts(
    catalog: Catalog,
    lesson: Lesson,
    text: LessonText,
    reader: Reader,
    answered: Mapping[str, Judgement | None],
    notes: Mapping[str, str],
    *,
    guest: bool,
) -> LessonParts:
    """Everything around and in the text.

    Args:
        answered: quiz id -> how its answer fared; None or absent asks the question.
        notes: quiz id -> why an answer could not be used.
    """
    around = frame(catalog, lesson, text, reader)
    page = (catalog.edition, text.lang, lesson.id)
    done = reader.lessons.get(lesson.id, False)
    read = frozenset(key for key, finished in reader.lessons.items() if finished)

    def question(number: int, anchor: str) -> Markup:
        quiz = text.quizzes[number]
        judgement, note = answered.get(quiz.id), notes.get(quiz.id, "")
        key = (*page, quiz.id, judgement and judgement.answer, note, guest)
        section = fragments.render(
            "lessons/_quiz.html", key, quiz=quiz, judgement=judgement, lesson_id=lesson.id, note=note, guest=guest
        )
        return Markup('<div class="quiz-place" id="{}">{}</div>').format(anchor, section)

    body = Markup().join(
        Markup(piece.html) if piece.quiz < 0 else question(piece.quiz, piece.anchor)  # noqa: S704 - cleaned by the renderer
        for piece in text.pieces
    )
    standing = (done, reader.passed, bool(reader.verdicts), guest)
    return LessonParts(
        side=fragments.render("lessons/_side.html", (*page, read), **around),
        head=fragments.render("lessons/_head.html", (*page, done), **around),
        outline=fragments.render("lessons/_outline.html", page, text=text),
        body=body,
        foot=fragments.render("lessons/_foot.html", (*page, *standing), guest=guest, **around),
    )


def frame(catalog: Catalog, lesson: Lesson, text: LessonText, reader: Reader) -> dict[str, Any]:
    """What the templates around a text need."""
    before, after = catalog.neighbours(lesson.id)
    return {
        "lesson": lesson, "text": text, "reader": reader, "module": catalog.module(lesson.module_id),
        "before": before, "after": after, "exercise": catalog.exercise_entry(lesson.exercise_id or ""),
        "needed": [entry for key in lesson.front.prerequisites if (entry := catalog.entry(key))],
    }  # fmt: skip
