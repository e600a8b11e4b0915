"""One lesson: two files that say the same in two languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.content.course import FrontMatter, Level
from app.content.lesson_text import LessonText, read_text
from app.content.quiz import Quiz
from app.content.render_cache import RenderCache
from app.content.text import LANGS, Lang
from app.errors import ContentInvalid, Problem


@dataclass(frozen=True)
class Lesson:
    """A lesson in all languages."""

    id: str
    module_id: str
    texts: Mapping[Lang, LessonText] = field(repr=False)

    def text(self, lang: str) -> LessonText:
        """The text in `lang`; English for anything but Russian."""
        return self.texts["ru" if lang == "ru" else "en"]

    @property
    def front(self) -> FrontMatter:
        """For what is equal in all languages."""
        return self.texts["en"].front

    @property
    def minutes(self) -> int:
        return self.front.minutes

    @property
    def level(self) -> Level:
        return self.front.level

    @property
    def free(self) -> bool:
        """Whether it opens without an account."""
        return self.front.free

    @property
    def exercise_id(self) -> str | None:
        return self.front.exercise

    @property
    def quizzes(self) -> tuple[Quiz, ...]:
        """Quizzes in English; ids, shapes and order of options are the same in all languages."""
        return self.texts["en"].quizzes

    @property
    def remarks(self) -> tuple[Problem, ...]:
        return tuple(remark for lang in LANGS for remark in self.texts[lang].remarks)

    def quiz(self, quiz_id: str, lang: str = "en") -> Quiz | None:
        """A quiz by id, with the words of `lang`."""
        return next((quiz for quiz in self.text(lang).quizzes if quiz.id == quiz_id), None)


def load_lesson(folder: Path, shown: str, cache: RenderCache) -> Lesson:
    """Load both languages of a lesson.

    Args:
        folder: `<id>-<slug>` with `lesson.ru.md` and `lesson.en.md`.
        shown: the folder's path in messages.

    Raises:
        ContentInvalid: every fault of both files, and every difference that learners who switch would meet.
    """
    texts: dict[Lang, LessonText] = {}
    problems: list[Problem] = []
    for lang in LANGS:
        try:
            texts[lang] = read_text(folder / f"lesson.{lang}.md", f"{shown}/lesson.{lang}.md", cache)
        except ContentInvalid as error:
            problems += error.problems
    for lang, text in texts.items():
        if text.lang != lang:
            problems.append(text.problem("lang", f"`lang: {text.lang}` in a file for `{lang}`"))
        if not folder.name.startswith(f"{text.front.id}-"):
            problems.append(text.problem("id", f"id `{text.front.id}` does not begin the folder's name `{folder.name}`"))
        if folder.parent.name != text.front.module:
            problems.append(text.problem("module", f"module `{text.front.module}` in the folder of `{folder.parent.name}`"))
    if len(texts) == len(LANGS):
        problems += _differences(texts["ru"], texts["en"])
    if problems:
        raise ContentInvalid(problems)
    return Lesson(texts["en"].front.id, texts["en"].front.module, texts)


def _differences(ru: LessonText, en: LessonText) -> list[Problem]:
    """What a reader who switches languages would stumble over; reported at the Russian file."""
    problems = []
    for key in ("id", "module", "order", "minutes", "level", "free", "prerequisites", "exercise"):
        if getattr(ru.front, key) != getattr(en.front, key):
            what = f"`{key}` is {getattr(ru.front, key)} here and {getattr(en.front, key)} in English"
            problems.append(ru.problem(key, what, "make them equal"))
    body = ru.lines.get("terms", 1)
    for name in ru.shape:
        mine, theirs = ru.shape[name], en.shape[name]
        if mine != theirs:
            what = f"{name} differ: {_brief(mine, theirs)} here, {_brief(theirs, mine)} in English"
            problems.append(Problem(ru.path, body, what, "make them equal"))
    theirs_by_id = {quiz.id: quiz for quiz in en.quizzes}
    if [quiz.id for quiz in ru.quizzes] != [quiz.id for quiz in en.quizzes]:
        problems.append(Problem(ru.path, body, "the quizzes differ from those in English", "make ids and order equal"))
    for quiz in ru.quizzes:
        other = theirs_by_id.get(quiz.id)
        if other and other.shape != quiz.shape:
            problems.append(Problem(ru.path, body, f"quiz `{quiz.id}` differs from the English one in type, options or answer"))
    return problems


def _brief(mine: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    extra = Counter(mine) - Counter(theirs)
    return f"{len(mine)}" + (f" (of them only here: {', '.join(sorted(extra)[:3])})" if extra else "")
