"""The pass over the parsed tree: stable anchors, callouts, links, tables, and everything the pages rely on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.treeprocessors import Treeprocessor

from app.content.blocks import TOKENS
from app.content.markdown.words import WORDS
from app.content.text import Lang

CALLOUTS = ("note", "warning", "predict")
_CALLOUT = re.compile(r"^\s*\[!([A-Z]+)\]\s*")
_OURS = re.compile(r"^(lesson|exercise):([a-z0-9-]{1,48})(#[a-z0-9-]{1,40})?$")
_WEB = re.compile(r"^https://[A-Za-z0-9.-]+(:[0-9]+)?(/[^\s\"'<>]*)?(#[^\s\"'<>]*)?$")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of the text. `anchor` counts positions (`h-2`, `h-2-1`), so it is the same in every language."""

    level: int
    anchor: str
    text: str


@dataclass(slots=True)
class Findings:
    """What the pass saw."""

    title: str = ""
    headings: list[Heading] = field(default_factory=list)
    links: list[str] = field(default_factory=list)  #: `lesson:<id>`, `exercise:<id>`, perhaps with `#anchor`
    faults: list[tuple[str, str]] = field(default_factory=list)  #: what is wrong, and a piece of text to find its line by
    tables: int = 0


class Pass(Treeprocessor):
    """Runs after inline patterns; see the module."""

    def __init__(self, md: Markdown, lang: Lang) -> None:
        super().__init__(md)
        self.words = WORDS[lang]
        self.found = Findings()

    def run(self, root: Element) -> None:
        if len(root) and root[0].tag == "h1":
            self.found.title = _text(root[0])
            root.remove(root[0])
        self._anchors(root)
        for element in root.iter():
            if element.tag == "a":
                self._link(element)
            elif element.tag == "img":
                self.found.faults.append(("images are not served", element.get("src", "")))
            elif element.tag == "blockquote":
                self._callout(element)
        self._tables(root)

    def _anchors(self, root: Element) -> None:
        """Number every block: `p-<section>-<n>`; headings are `h-…` by position."""
        section = sub = block = 0
        last = 1
        for child in list(root):
            if child.tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
                level = int(child.tag[1])
                if level > last + 1 or level not in (2, 3):
                    fault = "a second title" if level == 1 else f"a heading of level {level} after one of level {last}"
                    self.found.faults.append((fault, _text(child)))
                last = level
                if level <= 2:
                    section, sub, block = section + 1, 0, 0
                    anchor = f"h-{section}"
                else:
                    sub, anchor = sub + 1, f"h-{section}-{sub + 1}"
                    block += 1
                self.found.headings.append(Heading(level, anchor, _text(child)))
            else:
                block += 1
                anchor = f"p-{section}-{block}"
            child.set("id", anchor)

    def _link(self, element: Element) -> None:
        target = element.get("href", "")
        if element.get("class") in ("footnote-ref", "footnote-backref"):
            return
        if _OURS.match(target):
            self.found.links.append(target)
            return
        if _WEB.match(target):
            element.set("class", "external")
            element.set("rel", "noopener")
            return
        element.attrib.pop("href", None)
        self.found.faults.append(("a link must be `lesson:<id>`, `exercise:<id>` or begin with https://", target))

    def _callout(self, quote: Element) -> None:
        first = quote[0] if len(quote) else None
        match = _CALLOUT.match(first.text or "") if first is not None and first.tag == "p" else None
        if first is None or match is None:
            return
        kind = match[1].lower()
        if kind not in CALLOUTS:
            self.found.faults.append((f"unknown callout [!{match[1]}]", f"[!{match[1]}]"))
            return
        first.text = (first.text or "")[match.end() :]
        if not first.text and not len(first):
            quote.remove(first)
        quote.tag = "aside"
        quote.set("class", f"callout callout-{kind}")
        title = Element("p", {"class": "callout-title"})
        title.text = self.words[kind]
        quote.insert(0, title)

    def _tables(self, root: Element) -> None:
        """Put each table into a labelled box that scrolls by itself."""
        for parent in list(root.iter()):
            for position, table in enumerate(list(parent)):
                if table.tag != "table":
                    continue
                self.found.tables += 1
                heads = list(table.iter("th"))
                for cell in heads:
                    if not _text(cell):
                        cell.tag = "td"
                    else:
                        cell.set("scope", "col")
                label = ", ".join(filter(None, map(_text, heads)))[:80]
                box = Element("div", {"class": "table-box", "role": "region", "tabindex": "0",
                                      "aria-label": f"{self.words['table']}: {label}"})  # fmt: skip
                if anchor := table.attrib.pop("id", None):
                    box.set("id", anchor)
                for cell in table.iter():
                    if align := cell.attrib.pop("align", None):
                        cell.set("class", f"align-{align}")
                parent[position] = box
                box.append(table)


def _text(element: Element) -> str:
    """The words of an element, without tokens and marks of the parser."""
    return re.sub(r"\s+", " ", TOKENS.sub("", "".join(element.itertext()))).strip()
