"""Markdown of lessons: every mark that authors may use becomes the HTML that pages rely on."""

from __future__ import annotations

import re

import pytest

from app.content.markdown import count_words, render
from app.content.text import Lang


def html(source: str, lang: Lang = "en") -> str:
    rendered = render(source, lang, "lesson.md")
    assert rendered.problems == ()
    return rendered.html


def faults(source: str) -> list[str]:
    return [str(problem) for problem in render(source, "en", "lesson.md").problems]


def test_anchors_count_positions_so_that_both_languages_have_the_same() -> None:
    ru = render("# Т\n\nНачало\n\n## Один\n\nА\n\n### Внутри\n\nБ\n\n## Два\n\nВ\n", "ru", "l.md")
    en = render("# T\n\nStart\n\n## One\n\nA\n\n### Inside\n\nB\n\n## Two\n\nC\n", "en", "l.md")
    anchors = re.findall(r' id="([^"]+)"', en.html)
    assert anchors == re.findall(r' id="([^"]+)"', ru.html) == ["p-0-1", "h-1", "p-1-1", "h-1-1", "p-1-3", "h-2", "p-2-1"]
    assert [heading.anchor for heading in ru.headings] == ["h-1", "h-1-1", "h-2"]
    assert (ru.title, en.title) == ("Т", "T")


@pytest.mark.parametrize(("mark", "title"), [("NOTE", "Заметка"), ("WARNING", "Осторожно"), ("PREDICT", "Подумайте")])
def test_a_callout_is_an_aside_with_a_title_in_the_language_of_the_page(mark: str, title: str) -> None:
    page = html(f"> [!{mark}]\n> Текст с `кодом`.\n", "ru")
    assert f'<aside class="callout callout-{mark.lower()}" id="p-0-1">' in page
    assert title in page
    assert "<code>кодом</code>" in page
    assert "[!" not in page


def test_code_tells_its_file_its_language_and_that_the_tests_run_it() -> None:
    page = html('```python file="a.py"\nprint("<b>")\n```\n')
    assert '<span class="code-name">a.py</span><span class="code-lang">Python 3.13</span>' in page
    assert "runs in the tests" in page
    assert "&lt;b&gt;" in page


def test_an_excerpt_carries_no_mark_of_the_tests() -> None:
    assert "in the tests" not in html('```python fragment="part of a.py"\nx = 1\n```\n')


def test_tabs_work_without_scripts_as_a_group_of_radio_buttons() -> None:
    page = html('::: tabs\n```python tab="Right"\na\n```\n```python tab="Race"\nb\n```\n:::\n')
    assert page.count('type="radio"') == page.count('class="tab-panel"') == 2
    assert page.count(" checked") == 1
    assert ">Right</label>" in page


def test_a_diagram_has_its_text_equivalent_open_beside_the_source() -> None:
    page = html('```mermaid\nflowchart LR\n    accTitle: Two\n    accDescr: A calls B.\n    A["a"] --> B["b"]\n```\n')
    assert '<details class="diagram-text" open><summary>The diagram in words</summary><p>A calls B.</p>' in page
    assert "A[&#34;a&#34;] --&gt; B" in page


def test_a_table_scrolls_in_a_labelled_box_and_its_heads_have_a_scope() -> None:
    page = html("| | One | Two |\n|---|---:|---|\n| a | 1 | 2 |\n")
    assert '<div aria-label="Table: One, Two" class="table-box" id="p-0-1" role="region" tabindex="0">' in page
    assert page.count('scope="col"') == 2
    assert 'class="align-right"' in page
    assert "style=" not in page


def test_links_are_marked_and_footnotes_lead_there_and_back() -> None:
    rendered = render("[a](lesson:m01-l02) [b](https://a.example/x) word[^n]\n\n[^n]: Note.\n", "en", "l.md")
    assert rendered.links == ("lesson:m01-l02",)
    assert '<a class="external" href="https://a.example/x" rel="noopener">' in rendered.html
    assert 'href="#fn:n"' in rendered.html
    assert 'href="#fnref:n"' in rendered.html
    assert "footnote 1" in rendered.html


def test_a_code_block_in_a_list_stays_in_its_item() -> None:
    page = html("1. First\n\n    ```text\n    x\n    ```\n\n2. Second\n")
    assert page.count("<ol") == 1
    assert page.index("<pre") < page.index("Second")


def test_quizzes_cut_the_text_into_pieces() -> None:
    rendered = render("Before\n\n:::quiz\nid: x\n:::\n\nAfter\n", "en", "l.md")
    assert [(bool(piece.html), piece.quiz, piece.anchor) for piece in rendered.pieces] == [
        (True, -1, ""),
        (False, 0, "p-0-2"),
        (True, -1, ""),
    ]


def test_words_are_counted_in_prose_headings_and_tables_but_not_in_code_or_quizzes() -> None:
    table = "| one | two |\n|---|---|\n| three | 3,5 |"
    source = f"## Two words\n\n{table}\n\n```python\nnot counted at all\n```\n\n[link text](lesson:m01-l01) it's\n"
    assert render(source, "en", "l.md").words == 9
    assert count_words("тайм-аут — это **слово**, [^1] и `код`") == 5


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        ("ok\n\n```python\nx = 1\n", 3, "never closed"),
        ('```python colour="x"\nx\n```\n', 1, "unknown attribute `colour`"),
        ("```python file=x.py\nx\n```\n", 1, "cannot read"),
        (":::quiz\nid: x\n", 1, "never closed"),
        ("::: tabs\ntext\n:::\n", 2, "only code blocks"),
        ("ok\n\n:::figure\n", 3, "begins nothing that is known"),
        ("ok\n\n[a](http://plain.example)\n", 3, "must be `lesson:<id>`"),
        ("ok\n\n![a](https://a.example/x.png)\n", 3, "images are not served"),
        ("## One\n\n#### Deep\n", 3, "a heading of level 4 after one of level 2"),
        ("> [!TIP]\n> x\n", 1, "unknown callout"),
    ],
)
def test_what_an_author_got_wrong_is_told_with_its_line(source: str, line: int, what: str) -> None:
    told = faults(source)
    assert any(fault.startswith(f"lesson.md:{line}: ") and what in fault for fault in told), told
