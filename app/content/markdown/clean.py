"""What may come out of an author's prose (an allow-list), and what is refused before parsing because it would be slow."""

from __future__ import annotations

import re

import nh3

MAX_CHARACTERS = 128 * 1024
MAX_LINE = 4000
MAX_LINES = 2000
_DEEP = re.compile(r"^\s*(?:>\s*){7,}|^ {33,}\S|^\s*(?:(?:[-*+]|\d{1,9}[.)])\s+){7,}", re.MULTILINE)
_RUNS = re.compile(r"([*_`\[\](!<>~^#|\\&])\1{40,}")
_MANY = 400  #: of one kind of opening mark in a paragraph

_CLASSES = {
    "aside": {"callout", "callout-note", "callout-warning", "callout-predict"},
    "p": {"callout-title"},
    "a": {"external", "footnote-ref", "footnote-backref"},
    "div": {"table-box", "footnote"},
    "td": {"align-left", "align-right", "align-center"},
    "th": {"align-left", "align-right", "align-center"},
}
_ID = re.compile(r"^(?:h|p)(?:-\d{1,4}){1,2}$|^fn(?:ref)?\d{0,3}:[\w-]{1,40}$")


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "id":
        return value if _ID.match(value) else None
    if name == "href" and value.startswith("#"):
        return value if _ID.match(value[1:]) else None
    return value


_CLEANER = nh3.Cleaner(
    tags={"p", "h2", "h3", "h4", "ul", "ol", "li", "em", "strong", "code", "a", "blockquote", "aside", "table", "thead",
          "tbody", "tr", "th", "td", "sup", "hr", "br", "div"},
    attributes={"*": {"id"}, "a": {"href", "rel", "title"}, "ol": {"start"}, "th": {"scope"},
                "div": {"role", "tabindex", "aria-label"}},
    attribute_filter=_attribute,
    allowed_classes=_CLASSES,
    url_schemes={"https", "lesson", "exercise"},
    link_rel=None,
    strip_comments=True,
)  # fmt: skip


def clean(html: str) -> str:
    """`html` with everything outside the allow-list removed."""
    return _CLEANER.clean(html)


def too_much(prose: str) -> str:
    """Why this prose is refused unparsed; empty when it may be parsed."""
    if len(prose) > MAX_CHARACTERS:
        return f"longer than {MAX_CHARACTERS // 1024} K characters"
    lines = prose.split("\n")
    if len(lines) > MAX_LINES:
        return f"more than {MAX_LINES} lines"
    if any(len(line) > MAX_LINE for line in lines):
        return f"a line is longer than {MAX_LINE} characters"
    if _DEEP.search(prose):
        return "quotes, lists or indents are nested too deeply"
    if _RUNS.search(prose):
        return "the same mark is repeated more than 40 times"
    for paragraph in re.split(r"\n\s*\n", prose):
        if any(paragraph.count(mark) > _MANY for mark in "*_`[]<(!&|"):
            return f"more than {_MANY} marks of one kind in a paragraph"
    return ""
