"""A lesson in one language: read, checked against the standard, rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from app.content.blocks import Fence, QuizSource, Split
from app.content.code import MAX_LINES, is_run
from app.content.course import FrontMatter
from app.content.markdown import Piece, Rendered, render
from app.content.markdown.diagrams import diagram_faults
from app.content.markdown.tree import Heading
from app.content.quiz import Quiz
from app.content.render_cache import RenderCache
from app.content.source import YamlSource
from app.content.text import Lang
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
