"""Split a Markdown source into prose and the blocks that are ours: fenced code, `::: tabs`, `:::quiz`.

Each block leaves a token in the prose, alone in its paragraph and at its indentation, so that it may stand in a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.errors import Problem

TOKEN = "\ue000{}\ue001"  # noqa: S105 - a place in a text
TOKENS = re.compile("\ue000([0-9]+)\ue001")
_PRIVATE = re.compile("[\ue000\ue001\x00-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]")
_FENCE = re.compile(r"^(?P<indent> {0,12})(?P<ticks>`{3,})(?P<info>[^`]*)$")
_COLONS = re.compile(r"^:::\s*(?P<kind>[a-z]*)\s*$")
_ATTRIBUTE = re.compile(r'\s*([a-z][a-z-]*)(?:="((?:[^"\\]|\\.)*)")?(?=\s|$)')
FENCE_ATTRIBUTES = frozenset(
    {"file", "title", "tab", "background", "port", "broker", "database", "fragment", "expect", "no-run"}
)
MAX_TABS = 5


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block. `line` is that of its opening marks; a flag such as `background` is an attribute with an empty value."""

    line: int
    language: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def caption(self) -> str:
        return self.attributes.get("title") or self.attributes.get("file", "")


@dataclass(frozen=True, slots=True)
class Tabs:
    """`::: tabs`: two to five fences of which the page shows one at a time."""

    line: int
    fences: tuple[Fence, ...]


@dataclass(frozen=True, slots=True)
class QuizSource:
    """The YAML between `:::quiz` and `:::`; it begins at `line + 1`."""

    line: int
    text: str


Block = Fence | Tabs | QuizSource


@dataclass(slots=True)
class Split:
    """A source taken apart: `prose` with tokens (line numbers differ from the source's), and the blocks they stand for."""

    prose: str
    blocks: list[Block]
    problems: list[Problem]

    @property
    def fences(self) -> Iterator[Fence]:
        """All fences in order, those in tabs included."""
        for block in self.blocks:
            if isinstance(block, Fence):
                yield block
            elif isinstance(block, Tabs):
                yield from block.fences


def split(source: str, path: str, first_line: int = 1) -> Split:
    """Take `source` apart.

    Args:
        path: used in problems.
        first_line: where `source` begins in `path`.
    """
    reader = _Reader(_PRIVATE.sub("", source).split("\n"), path, first_line)
    reader.read()
    return Split("\n".join(reader.prose), reader.blocks, reader.problems)


class _Reader:
    def __init__(self, lines: list[str], path: str, first_line: int) -> None:
        self.lines, self.path, self.first = lines, path, first_line
        self.at = 0
        self.prose: list[str] = []
        self.blocks: list[Block] = []
        self.problems: list[Problem] = []

    def problem(self, at: int, what: str, cure: str = "") -> None:
        self.problems.append(Problem(self.path, at + self.first, what, cure))

    def read(self) -> None:
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if match := _FENCE.match(line):
                self.place(self.fence(match), match["indent"])
            elif match := _COLONS.match(line):
                self.colons(match["kind"])
            else:
                self.prose.append(line)
                self.at += 1

    def place(self, block: Block, indent: str = "") -> None:
        self.prose += ["", indent + TOKEN.format(len(self.blocks)), ""]
        self.blocks.append(block)

    def fence(self, opening: re.Match[str]) -> Fence:
        begin, indent, body = self.at, len(opening["indent"]), []
        closing = re.compile(rf"^ {{0,{indent + 3}}}`{{{len(opening['ticks'])},}}\s*$")
        self.at += 1
        while self.at < len(self.lines) and not closing.match(self.lines[self.at]):
            line = self.lines[self.at]
            body.append(line[indent:] if not line[:indent].strip() else line.lstrip())
            self.at += 1
        if self.at == len(self.lines):
            self.problem(begin, "this code block is never closed", "end it with ```")
        self.at += 1
        language, attributes = self.info(opening["info"].strip(), begin)
        return Fence(begin + self.first, language, "\n".join(body), attributes)

    def info(self, info: str, at: int) -> tuple[str, dict[str, str]]:
        language, _, rest = info.partition(" ")
        attributes: dict[str, str] = {}
        position = 0
        rest = rest.strip()
        while position < len(rest):
            match = _ATTRIBUTE.match(rest, position)
            if match is None:
                self.problem(at, f"cannot read `{rest[position:]}` after the language", 'write name="value"')
                break
            if match[1] not in FENCE_ATTRIBUTES:
                self.problem(at, f"unknown attribute `{match[1]}`", f"known: {', '.join(sorted(FENCE_ATTRIBUTES))}")
            attributes[match[1]] = re.sub(r"\\(.)", r"\1", match[2] or "")
            position = match.end()
        if not re.fullmatch(r"[a-z][a-z0-9+-]{0,20}|", language):
            self.problem(at, f"`{language[:40]}` is not the name of a language")
            language = "text"
        return language or "text", attributes

    def colons(self, kind: str) -> None:
        begin = self.at
        self.at += 1
        if kind == "quiz":
            body = self.until_colons(begin)
            self.place(QuizSource(begin + self.first, "\n".join(body)))
        elif kind == "tabs":
            self.place(self.tabs(begin))
        else:
            self.problem(begin, f"`{self.lines[begin].strip()}` begins nothing that is known", "use `:::quiz` or `::: tabs`")

    def until_colons(self, begin: int) -> list[str]:
        body = []
        closing = None
        while self.at < len(self.lines) and not (closing := _COLONS.match(self.lines[self.at])):
            body.append(self.lines[self.at])
            self.at += 1
        if closing is None or closing["kind"]:
            self.problem(begin, "this block is never closed", "end it with a line `:::`")
        else:
            self.at += 1
        return body

    def tabs(self, begin: int) -> Tabs:
        fences: list[Fence] = []
        while self.at < len(self.lines) and not _COLONS.match(self.lines[self.at]):
            if match := _FENCE.match(self.lines[self.at]):
                at = self.at
                fences.append(self.fence(match))
                if not fences[-1].attributes.get("tab"):
                    self.problem(at, 'a code block in tabs needs tab="Name"')
            else:
                if self.lines[self.at].strip():
                    self.problem(self.at, "only code blocks may stand in tabs", "close the tabs with `:::` first")
                self.at += 1
        if self.at >= len(self.lines):
            self.problem(begin, "these tabs are never closed", "end them with a line `:::`")
        self.at += 1
        if not 2 <= len(fences) <= MAX_TABS:
            self.problem(begin, f"tabs need 2 to {MAX_TABS} code blocks, these have {len(fences)}")
        return Tabs(begin + self.first, tuple(fences))
