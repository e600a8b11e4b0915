"""HTML of our own blocks: code, tabs and diagrams. Everything an author wrote is escaped here or by Pygments."""

from __future__ import annotations

import re

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name

from app.content.blocks import Fence, Tabs
from app.content.code import is_parsed, is_run
from app.content.markdown.words import WORDS
from app.content.text import Lang

PYTHON_VERSION = "3.13"  #: of the `python` image, which runs the lessons' code
LANGUAGES = {
    "python": ("python", f"Python {PYTHON_VERSION}"), "proto": ("protobuf", "Protocol Buffers"), "json": ("json", "JSON"),
    "yaml": ("yaml", "YAML"), "sql": ("sql", "SQL"), "console": ("console", "Shell"), "shell": ("bash", "Shell"),
    "bash": ("bash", "Shell"), "toml": ("toml", "TOML"), "ini": ("ini", "INI"), "http": ("http", "HTTP"),
    "nginx": ("nginx", "nginx"), "javascript": ("javascript", "JavaScript"), "go": ("go", "Go"), "diff": ("diff", "diff"),
    "dockerfile": ("docker", "Dockerfile"), "text": ("text", ""),
}  # fmt: skip
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
_PLAIN = re.compile(r'<span class="(?:w|p|n|o)">([^<]*)</span>')  #: pieces without a colour of their own
_LEXERS: dict[str, Lexer] = {}


def _lexer(language: str) -> Lexer:
    name = LANGUAGES.get(language, ("text", ""))[0]
    if name not in _LEXERS:
        _LEXERS[name] = get_lexer_by_name(name, stripnl=False, ensurenl=False)
    return _LEXERS[name]


def code(fence: Fence, lang: Lang, anchor: str = "", captioned: bool = True) -> Markup:
    """A code block with its caption, language, mark of the tests and copy button."""
    words = WORDS[lang]
    label = LANGUAGES.get(fence.language, ("", fence.language))[1]
    name = fence.caption or label or words["output"]
    mark = Markup()
    if is_run(fence) or is_parsed(fence):
        kind = "runs" if is_run(fence) else "parsed"
        mark = Markup('<span class="code-mark" title="{}"><span aria-hidden="true">✓</span> {}</span>').format(
            words[f"{kind}-why"], words[kind]
        )
    title = fence.caption if captioned else ""
    shown = Markup('<span class="code-name">{}</span>').format(title) if title else Markup()
    head = Markup(
        '<figcaption class="code-head">{}<span class="code-lang">{}</span>{}'
        '<button type="button" class="code-copy" data-copy hidden>{}</button></figcaption>'
    ).format(shown, label if label != title else "", mark, words["copy"])
    colored = highlight(fence.text, _lexer(fence.language), _FORMATTER).rstrip("\n")
    body = Markup(_PLAIN.sub(r"\1", colored))  # noqa: S704 - Pygments escapes
    return Markup(
        '<figure class="code"{}>{}<pre tabindex="0" role="region" aria-label="{}"><code>{}</code></pre></figure>'
    ).format(_id(anchor), head, name, body)


def tabs(block: Tabs, lang: Lang, anchor: str) -> Markup:
    """Tabs that work without scripts: a group of radio buttons, of which the chosen one shows its panel."""
    group = f"{anchor or f't-{block.line}'}-tabs"
    inputs, panels = [], []
    for number, fence in enumerate(block.fences, 1):
        inputs.append(
            Markup(
                '<input type="radio" class="tab-input" name="{0}" id="{0}-{1}"{2}>'
                '<label class="tab-label" for="{0}-{1}">{3}</label>'
            ).format(group, number, Markup(" checked") if number == 1 else Markup(), fence.attributes.get("tab", ""))
        )
        panels.append(Markup('<div class="tab-panel">{}</div>').format(code(fence, lang)))
    return Markup('<div class="tabs"{} role="group" aria-label="{}">{}<div class="tab-panels">{}</div></div>').format(
        _id(anchor), WORDS[lang]["variants"], Markup().join(inputs), Markup().join(panels)
    )


def diagram(fence: Fence, lang: Lang, anchor: str = "") -> Markup:
    """A Mermaid source that a script draws, and its text equivalent, which is open where no script runs."""
    words = WORDS[lang]
    title, description = accessible_name(fence)
    return Markup(
        '<figure class="diagram"{}><figcaption class="diagram-head"><span>{}</span>'
        '<button type="button" class="diagram-full" data-full data-close="{}" hidden>{}</button></figcaption>'
        '<div class="diagram-box" data-diagram hidden tabindex="0" role="region" aria-label="{}">'
        '<pre class="diagram-source">{}</pre></div>'
        '<details class="diagram-text" open><summary>{}</summary><p>{}</p></details></figure>'
    ).format(
        _id(anchor),
        title or words["diagram"],
        words["close"],
        words["enlarge"],
        title or words["diagram"],
        fence.text,
        words["diagram-text"],
        description,
    )


def accessible_name(fence: Fence) -> tuple[str, str]:
    """`accTitle` and `accDescr` of a Mermaid source; empty where absent."""
    found = dict.fromkeys(("accTitle", "accDescr"), "")
    for line in fence.text.split("\n")[:6]:
        key, colon, value = line.strip().partition(":")
        if colon and key in found:
            found[key] = value.strip()
    return found["accTitle"], found["accDescr"]


def inline_code(text: str) -> Markup:
    """One line of an author's text with `code` in back-ticks; everything else is escaped."""
    pieces = re.split(r"`([^`\n]+)`", text)
    return Markup().join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece) for number, piece in enumerate(pieces)
    )


def _id(anchor: str) -> Markup:
    return Markup(' id="{}"').format(anchor) if anchor else Markup()
