"""Hostile Markdown: nothing of it runs, and nothing of it takes a second."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.content.markdown import render
from app.content.markdown.figures import inline_code

OURS = {
    "p",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "em",
    "strong",
    "code",
    "a",
    "blockquote",
    "aside",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "sup",
    "hr",
    "br",
    "div",
    "figure",
    "figcaption",
    "span",
    "pre",
    "button",
    "input",
    "label",
    "details",
    "summary",
}
CAPS = re.compile(r"^(on|style|srcdoc|form|xlink)")


class Inspector(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in OURS:
            self.faults.append(f"<{tag}>")
        for name, value in attrs:
            if CAPS.match(name) or name in ("src", "action"):
                self.faults.append(f"{name}={value}")
            if name == "href" and not re.match(r"^(https://|#(h|p|fn)|lesson:|exercise:)", value or ""):
                self.faults.append(f"href={value}")


def inspect(source: str) -> float:
    """Fails when the rendered text could act; returns the seconds that rendering took."""
    start = time.process_time()  # this machine may be busy with other tests
    html = render(source, "en", "x.md").html
    seconds = time.process_time() - start
    inspector = Inspector()
    inspector.feed(html)
    assert inspector.faults == [], (source, html)
    return seconds


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg><animate onbegin=alert(1)>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](//evil.example)",
    '[x](https://a.example/"onmouseover=alert(1))',
    "[x][y]\n\n[y]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "![x](https://tracker.example/pixel.gif)",
    "{% include '/etc/passwd' %} {{ 7*7 }}",
    '```python title="<script>alert(1)</script>"\nx\n```',
    '```"><script>\nx\n```',
    '::: tabs\n```python tab="<img src=x onerror=alert(1)>"\nx\n```\n```python tab="b"\ny\n```\n:::',
    "```mermaid\nflowchart LR\n accTitle: <img src=x onerror=alert(1)>\n accDescr: </details><script>1</script>\n a-->b\n```",
    "| <b onclick=x> | b |\n|---|---|\n| <script> | `<script>` |",
    "[^<script>]: x\n\n[^<script>]",
    "\ue0000\ue001 \ue0007\ue001",
    "# t {onclick=alert(1)}\n\n## h {#x onclick=alert(1)}",
    "text <!-- --> <b>bold</b> &lt;script&gt;",
    "`<script>` ``<img onerror=x>``",
    "\u202e<script>\u202c",
]


@pytest.mark.parametrize("source", ATTACKS)
def test_hostile_markup_is_inert(source: str) -> None:
    inspect(source)


SLOW = {
    "quotes": "> " * 10_000 + "x",
    "lines of quotes": "\n".join("> " * n + "x" for n in range(1, 400)),
    "brackets": "[" * 20_000,
    "links": "[a](" * 5_000,
    "nested links": "[" * 500 + "a" + "](x)" * 500,
    "stars": "*a " * 20_000,
    "mixed emphasis": "*_**__" * 5_000,
    "back-ticks": " ".join("`" * n for n in range(1, 900)),
    "lists": "\n".join(" " * (2 * n) + "- x" for n in range(300)),
    "numbered": "1. " * 3_000,
    "entities": "&#" * 20_000,
    "tags": "<a " * 20_000,
    "table": "|" * 3_000 + "\n" + "|-" * 3_000 + "\n" + "|x" * 3_000,
    "long table": "|a|b|\n|---|---|\n" + "|x|y|\n" * 200_000,
    "references": "\n".join(f"[{n}]: https://a.example/{n}" for n in range(20_000)),
    "footnotes": "\n".join(f"[^{n}]: x[^{n}]" for n in range(2_000)),
    "one line": "a" * 2_000_000,
    "fences": "```\n" * 20_000,
    "colons": ":::quiz\n" * 20_000,
    "info": "```python " + "a " * 50_000 + "\nx\n```",
    "escapes": "\\*" * 20_000,
    "blanks": "\n" * 200_000,
    "headings": "## x\n" * 1_900,
    "setext": "a\n===\n" * 950,
}


@pytest.mark.parametrize("name", SLOW)
def test_nothing_that_fits_through_takes_a_second(name: str) -> None:
    assert inspect(SLOW[name]) < 1.0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            [
                "<",
                ">",
                '"',
                "'",
                "&",
                "javascript:",
                "](",
                "[",
                "![",
                "`",
                "```",
                "\n",
                "\n\n",
                "> ",
                "- ",
                "| ",
                "*",
                "_",
                "<script>",
                "onerror=",
                ":::",
                "quiz",
                " tabs",
                "[^1]",
                "#",
                "    ",
                "\\",
                "a",
                "ё",
                "\ue000",
                "0",
                "\ue001",
                "{",
                "<!--",
                "-->",
                "https://",
                "lesson:m01-l01",
            ]
        ),
        max_size=60,
    ).map("".join)
)
def test_whatever_is_mixed_stays_inert(source: str) -> None:
    assert inspect(source) < 1.0


@given(st.text(max_size=80))
def test_lines_of_quizzes_are_escaped(text: str) -> None:
    assert re.sub(r"</?code>", "", str(inline_code(text))).count("<") == 0
