"""Markdown of lessons and tasks -> safe HTML.

`render(source, lang, path)` is the one door. Lessons go through `app.content.lesson_text`; the task of an exercise is ready as
`Catalog.task_html(exercise_id, lang)` (`app.content.catalog`), so no page renders Markdown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import markdown
from markdown.extensions.footnotes import FootnoteExtension
from markdown.extensions.sane_lists import SaneListExtension
from markdown.extensions.tables import TableExtension

from app.content.blocks import TOKENS, Fence, QuizSource, Split, Tabs, split
from app.content.markdown import figures
from app.content.markdown.clean import clean, too_much
from app.content.markdown.tree import Heading, Pass
from app.content.markdown.words import WORDS
from app.content.text import Lang
from app.errors import Problem

_PLACE = re.compile(r'<p(?: id="(?P<anchor>[a-z0-9-]+)")?>\s*' + TOKENS.pattern + r"\s*</p>|" + TOKENS.pattern)
_WORD = re.compile(r"[^\W_]+(?:[-’'.,]?[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of ready HTML, or the place of a quiz (its number among the quizzes of the text) with its anchor."""

    html: str = ""
    quiz: int = -1
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered text.

    Attributes:
        title: text of the leading `#` heading, which is not part of `pieces`.
        pieces: HTML and places of quizzes, in reading order.
        links: `lesson:<id>` and `exercise:<id>` as written; `href`s hold them too until `links.resolve`.
        words: of prose with headings and tables, without code and quizzes.
    """

    title: str
    pieces: tuple[Piece, ...]
    headings: tuple[Heading, ...]
    links: tuple[str, ...]
    words: int
    tables: int
    diagrams: int
    parts: Split
    problems: tuple[Problem, ...]

    @property
    def html(self) -> str:
        """All pieces but quizzes as one text."""
        return "".join(piece.html for piece in self.pieces)


def render(source: str, lang: Lang, path: str, first_line: int = 1) -> Rendered:
    """Render one text. Never raises for what an author wrote: faults are in `problems`, and unsafe parts are left out.

    Args:
        source: Markdown with our marks (docs/authors.md).
        lang: of the few words that the renderer adds.
        path: used in problems; `source` begins at its line `first_line`.
    """
    parts = split(source, path, first_line)
    problems = list(parts.problems)
    prose = parts.prose
    if reason := too_much(prose):
        problems.append(Problem(path, first_line, f"this text is not rendered: {reason}", "make it simpler"))
        prose = ""
    md = _parser(lang)
    tree_pass = Pass(md, lang)
    md.treeprocessors.register(tree_pass, "soty", 5)  # after inline patterns (20) and prettify (10)
    try:
        dirty = md.convert(prose)
    except RecursionError:
        problems.append(Problem(path, first_line, "this text is nested too deeply", "make it simpler"))
        dirty = ""
    found = tree_pass.found
    problems += [Problem(path, _line_of(source, hint, first_line), what) for what, hint in found.faults]
    pieces = _assemble(_footnotes(clean(dirty), lang), parts, lang)
    return Rendered(
        found.title, pieces, tuple(found.headings), tuple(found.links), count_words(parts.prose), found.tables,
        sum(fence.language == "mermaid" for fence in parts.fences), parts, tuple(problems),
    )  # fmt: skip


def _parser(lang: Lang) -> markdown.Markdown:
    """A parser without raw HTML: what looks like a tag is text."""
    back = WORDS[lang]["footnote-back"]
    md = markdown.Markdown(
        extensions=[TableExtension(use_align_attribute=True), FootnoteExtension(BACKLINK_TITLE=back), SaneListExtension()],
        output_format="html",
    )
    md.preprocessors.deregister("html_block")
    md.inlinePatterns.deregister("html")
    md.inlinePatterns.deregister("automail")
    return md


def _footnotes(html: str, lang: Lang) -> str:
    return html.replace(
        '<div class="footnote">', f'<div class="footnote" role="region" aria-label="{WORDS[lang]["footnotes"]}">'
    )


def _assemble(html: str, parts: Split, lang: Lang) -> tuple[Piece, ...]:
    """Put the blocks where their tokens stand and cut the text at quizzes."""
    pieces: list[Piece] = []
    text: list[str] = []
    at = quizzes = 0
    for match in _PLACE.finditer(html):
        text.append(html[at : match.start()])
        at = match.end()
        block = parts.blocks[int(match[2] or match[3])]
        anchor = match["anchor"] or ""
        if isinstance(block, QuizSource):
            pieces += [Piece("".join(text)), Piece(quiz=quizzes, anchor=anchor)]
            text = []
            quizzes += 1
        elif isinstance(block, Tabs):
            text.append(figures.tabs(block, lang, anchor))
        elif block.language == "mermaid":
            text.append(figures.diagram(block, lang, anchor))
        else:
            text.append(figures.code(block, lang, anchor))
    text.append(html[at:])
    return tuple(piece for piece in [*pieces, Piece("".join(text))] if piece.quiz >= 0 or piece.html.strip())


def count_words(prose: str) -> int:
    """Words of Markdown prose: link targets, footnote marks and block tokens do not count, inline code does."""
    bare = TOKENS.sub(" ", prose)
    bare = re.sub(r"\]\([^)\n]*\)", "] ", bare)
    bare = re.sub(r"\[\^[^\]\n]+\]:?|\[![A-Z]+\]", " ", bare)
    return len(_WORD.findall(bare))


def _line_of(source: str, hint: str, first_line: int) -> int:
    """Line of the first place where `hint` stands; the text's first line when it cannot be found."""
    position = source.find(hint) if hint else -1
    return first_line + source.count("\n", 0, position) if position >= 0 else first_line


__all__ = ["Fence", "Piece", "Rendered", "count_words", "render"]
