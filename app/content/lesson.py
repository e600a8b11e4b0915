"""One lesson: two files that say the same in two languages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.content.blocks import Fence, QuizSource, Split
from app.content.code import MAX_LINES, is_run
from app.content.course import FrontMatter, Level
from app.content.exercise import LANGS, Lang
from app.content.markdown import Piece, Rendered, render
from app.content.markdown.diagrams import diagram_faults
from app.content.markdown.tree import Heading
from app.content.quiz import Quiz
from app.content.render_cache import RenderCache
from app.content.source import YamlSource
from app.errors import ContentInvalid, Problem

WORDS_RANGE = (600, 1100)
QUIZZES_RANGE = (2, 4)
GOALS_RANGE = (3, 5)


@dataclass(frozen=True)
class LessonText:
    """A lesson in one language, ready to be shown.

    Attributes:
        pieces: HTML and places of quizzes in reading order; a place names a quiz by its index in `quizzes`.
        headings: outline of the text, without its title.
        links: `lesson:<id>` or `exercise:<id>` (perhaps `#anchor`) -> line of the file.
        lines: line of each key of the front matter.
        shape: what must be equal in both languages, by name.
        words: of prose with headings and tables.
        remarks: where the text falls short of the standard; they do not keep it from being served.
    """

    front: FrontMatter
    pieces: tuple[Piece, ...]
    headings: tuple[Heading, ...]
    quizzes: tuple[Quiz, ...]
    links: tuple[tuple[str, int], ...]
    lines: dict[str, int]
    shape: dict[str, tuple[str, ...]]
    words: int
    diagrams: int
    path: str
    remarks: tuple[Problem, ...] = ()

    @property
    def lang(self) -> Lang:
        return self.front.lang

    def problem(self, key: str, what: str, cure: str = "") -> Problem:
        """A problem at the line of a key of the front matter."""
        return Problem(self.path, self.lines.get(key, 1), what, cure)


_CACHED = TypeAdapter(LessonText)


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


def read_text(path: Path, shown: str, cache: RenderCache) -> LessonText:
    """Read, check and render one file, or take it from the cache.

    Raises:
        ContentInvalid: every fault of the file.
    """
    try:
        source = path.read_text("utf-8-sig").replace("\r\n", "\n")
    except FileNotFoundError as error:
        raise ContentInvalid([Problem(shown, 1, "this language is missing", "write the file")]) from error
    except UnicodeDecodeError as error:
        raise ContentInvalid([Problem(shown, 1, "not UTF-8 text", "save it as UTF-8")]) from error
    key = cache.key("lesson", shown, source)
    if (stored := cache.get(key)) is not None:
        try:
            return _CACHED.validate_json(stored)
        except ValidationError:
            pass  # a damaged entry is written anew below
    text = _parse(source, shown)
    cache.put(key, _CACHED.dump_json(text))
    return text


def _parse(source: str, shown: str) -> LessonText:
    head, body, first_line = _front_matter(source, shown)
    front_source = YamlSource(head, shown, first_line=2)
    problems: list[Problem] = []
    front: FrontMatter | None = None
    try:
        front = front_source.parse(FrontMatter)
    except ContentInvalid as error:
        problems += error.problems
    lang: Lang = "ru" if front_source.data.get("lang") == "ru" else "en"
    rendered = render(body, lang, shown, first_line)
    problems += rendered.problems
    quizzes = _quizzes(rendered.parts, shown, str(front_source.data.get("id", "")), problems)
    for fence in rendered.parts.fences:
        problems += [Problem(shown, fence.line, what, cure) for what, cure in diagram_faults(fence)]
    if not rendered.title:
        problems.append(Problem(shown, first_line, "the text must begin with `# Title`"))
    elif front and rendered.title != front.title.replace("`", ""):
        problems.append(front_source.problem(("title",), f"the title differs from the heading `{rendered.title}`"))
    if problems or front is None:
        raise ContentInvalid(problems)
    lines = {str(key): front_source.line((key,)) for key in front_source.data}
    text = LessonText(front, rendered.pieces, rendered.headings, quizzes, _links(rendered, source), lines, _shape(rendered),
                      rendered.words, rendered.diagrams, shown)  # fmt: skip
    return replace(text, remarks=tuple(_remarks(text, rendered)))


def _front_matter(source: str, shown: str) -> tuple[str, str, int]:
    """Head, body, and the line at which the body begins."""
    lines = source.split("\n")
    if lines[0].strip() != "---":
        raise ContentInvalid([Problem(shown, 1, "the front matter is missing", "begin the file with a line `---`")])
    try:
        end = next(number for number, line in enumerate(lines[1:], 1) if line.strip() == "---")
    except StopIteration:
        raise ContentInvalid([Problem(shown, 1, "the front matter is never closed", "end it with a line `---`")]) from None
    return "\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2


def _quizzes(parts: Split, shown: str, lesson_id: str, problems: list[Problem]) -> tuple[Quiz, ...]:
    quizzes: list[Quiz] = []
    for block in parts.blocks:
        if not isinstance(block, QuizSource):
            continue
        try:
            source = YamlSource(block.text, shown, first_line=block.line + 1)
            quiz = source.parse(Quiz)
        except ContentInvalid as error:
            problems += error.problems
            continue
        if not quiz.id.startswith(f"{lesson_id}-"):
            problems.append(source.problem(("id",), f"quiz `{quiz.id}` must begin with `{lesson_id}-`"))
        if any(quiz.id == other.id for other in quizzes):
            problems.append(source.problem(("id",), f"there are two quizzes `{quiz.id}`"))
        quizzes.append(quiz)
    return tuple(quizzes)


def _links(rendered: Rendered, source: str) -> tuple[tuple[str, int], ...]:
    lines = source.split("\n")

    def line_of(link: str) -> int:
        return next((number for number, line in enumerate(lines, 1) if f"]({link})" in line), 1)

    return tuple((link, line_of(link)) for link in dict.fromkeys(rendered.links))


def _shape(rendered: Rendered) -> dict[str, tuple[str, ...]]:
    fences = list(rendered.parts.fences)
    return {
        "headings": tuple(f"h{heading.level}" for heading in rendered.headings),
        "code blocks": tuple(f"{fence.language} {fence.attributes.get('file', '')}".strip() for fence in fences),
        "tables": ("table",) * rendered.tables,
    }


def _remarks(text: LessonText, rendered: Rendered) -> list[Problem]:
    """Where the text falls short of the standard for lessons."""
    remarks = []

    def outside(value: int, bounds: tuple[int, int], what: str, line: int) -> None:
        if not bounds[0] <= value <= bounds[1]:
            remarks.append(Problem(text.path, line, f"{value} {what}", f"{bounds[0]} to {bounds[1]} are the rule"))

    body = text.lines.get("terms", 1)
    outside(text.words, WORDS_RANGE, "words of prose", body)
    outside(len(text.quizzes), QUIZZES_RANGE, "quizzes", body)
    outside(len(text.front.goals), GOALS_RANGE, "goals", text.lines.get("goals", 1))
    if not rendered.diagrams and not rendered.tables:
        remarks.append(Problem(text.path, body, "neither a diagram nor a table", "at least one is the rule"))
    for fence in rendered.parts.fences:
        length = len(fence.text.rstrip("\n").split("\n"))
        if fence.language != "mermaid" and length > MAX_LINES:
            what = f"a code block of {length} lines"
            remarks.append(Problem(text.path, fence.line, what, f"{MAX_LINES} at most is the rule"))
        remarks += [Problem(text.path, fence.line, what) for what in _code_faults(fence)]
    return remarks


def _code_faults(fence: Fence) -> list[str]:
    faults = []
    if fence.language == "console" and not fence.attributes.get("no-run"):
        faults.append('a console block needs no-run="reason"')
    if any(key in fence.attributes and not fence.attributes[key] for key in ("fragment", "no-run", "file", "title", "expect")):
        faults.append("an attribute of this code block has no value")
    if "background" in fence.attributes and not (is_run(fence) and fence.attributes.get("port", "").isdigit()):
        faults.append('a `background` block must be Python that runs and needs port="…"')
    return faults


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
