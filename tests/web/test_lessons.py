"""Course and lesson pages: they read without scripts and without an account, and quizzes keep their secrets until answered."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

import pytest
from sqlalchemy import event

from app.content.quiz import Quiz
from app.web.assets import DIST
from tests.web.site import Browser, Site

LESSON = "/lessons/m01-l01"
NUMBER, SINGLE, ORDER = "m01-l01-q1", "m01-l01-q2", "m01-l01-q3"


def quiz(site: Site, quiz_id: str, lang: str = "en") -> Quiz:
    found = site.cases.catalog.quiz(quiz_id, lang)
    assert found is not None
    return found[1]


def section(page: str, quiz_id: str) -> str:
    """The part of a page that asks or answers one question."""
    start = page.index(f'id="quiz-{quiz_id}"')
    return page[start : page.index("</section>", start)]


def choose(browser: Browser, quiz_id: str, fragment: bool = False, **fields: str) -> str:
    headers = {"HX-Request": "true"} if fragment else {}
    data = {**fields, "csrf_token": browser.csrf()}
    answer = browser.ask("POST", f"/quizzes/{quiz_id}", data=data, headers=headers, follow_redirects=True)
    assert answer.status_code in (200, 422), answer.text
    return answer.text


def places(asked: Quiz, right: bool) -> dict[str, str]:
    """A form of an order question, filled in."""
    order = [asked.shown.index(number) for number in range(len(asked.options))]
    if not right:
        order.reverse()
    return {f"place-{shown}": str(place) for place, shown in enumerate(order, 1)}


@contextmanager
def statements(site: Site) -> Iterator[list[str]]:
    """The SQL that runs meanwhile."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    engine = site.cases.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("lang", "words"), [("ru", "Одна система, два устройства"), ("en", "One system, two shapes")])
def test_a_guest_reads_a_free_lesson_in_either_language(site: Site, lang: str, words: str) -> None:
    page = site.browser().get(f"{LESSON}?lang={lang}").text
    assert f"<h1>{words}</h1>" in page
    assert f'<html lang="{lang}"' in page
    assert page.count("<h1") == 1
    assert "<script>" not in page
    assert 'style="' not in page


def test_the_two_languages_have_the_same_places_so_that_a_switch_stays_on_the_paragraph(site: Site) -> None:
    guest = site.browser()
    for lesson in site.cases.catalog.lessons.values():
        headings = [[h.anchor for h in lesson.text(lang).headings] for lang in ("ru", "en")]
        assert headings[0] == headings[1]
    answer = guest.post("/language", lang="en", next=f"{LESSON}#p-2-3")
    assert answer.location.endswith(f"{LESSON}#p-2-3")


def test_a_question_does_not_tell_its_answer_before_one_is_given(site: Site) -> None:
    page = site.browser().get(f"{LESSON}?lang=en").text
    for quiz_id in (NUMBER, SINGLE, ORDER):
        asked, part = quiz(site, quiz_id), section(page, quiz_id)
        for option in asked.options:
            assert option.why[:30] not in part
        assert "correct" not in part
    shown = re.findall(r'<span class="option-text">(.*?)</span>', section(page, ORDER))
    assert [unescape(re.sub(r"</?code>", "`", text)) for text in shown] == list(quiz(site, ORDER).shown_texts)


def test_a_guest_without_scripts_gets_the_lesson_back_with_every_reason(site: Site) -> None:
    page = choose(site.browser(), SINGLE, option="0")
    assert 'class="lesson-head"' in page
    part = section(page, SINGLE)
    assert part.count("option-why") == len(quiz(site, SINGLE).options)
    assert "option-right" in part
    assert "option-wrong" in part


def test_a_script_gets_the_fragment_and_what_to_keep_in_the_browser(site: Site) -> None:
    part = choose(site.browser(), SINGLE, fragment=True, option="1")
    assert "<html" not in part
    kept = re.search(r'data-answer="([^"]+)"', part)
    assert kept is not None
    assert json.loads(kept[1]) == [1]


@pytest.mark.parametrize("typed", ["120", "120.0", " 120 ", "1 20", "+120"])
def test_a_number_is_read_as_people_write_it(site: Site, typed: str) -> None:
    assert "state-ok" in choose(site.browser(), NUMBER, fragment=True, number=typed)


@pytest.mark.parametrize(
    ("quiz_id", "fields"),
    [
        (SINGLE, {}),
        (SINGLE, {"option": "99"}),
        (SINGLE, {"option": "x"}),
        (SINGLE, {"kept": "{"}),
        (SINGLE, {"kept": '{"a": 1}'}),
        (NUMBER, {"number": ""}),
        (NUMBER, {"number": "nan"}),
        (NUMBER, {"number": "1e999"}),
        (NUMBER, {"number": "9" * 4000}),
        (ORDER, {"place-0": "1", "place-1": "1"}),
        (ORDER, {f"place-{n}": "1" for n in range(5)}),
    ],
)
def test_an_unusable_answer_asks_again_and_says_what_is_missing(site: Site, quiz_id: str, fields: dict[str, str]) -> None:
    part = section(choose(site.browser(), quiz_id, **fields), quiz_id)
    assert 'role="alert"' in part
    assert "<form" in part


@pytest.mark.parametrize("right", [True, False])
def test_an_order_is_answered_with_places_alone(site: Site, right: bool) -> None:
    part = choose(site.browser(), ORDER, fragment=True, **places(quiz(site, ORDER), right))
    assert ("state-ok" in part) is right


def test_an_answer_of_a_person_is_stored_shown_again_and_may_be_given_anew(site: Site) -> None:
    # Given a learner who answered wrongly, in Russian
    browser = site.signed_in(site.person("Anna"))
    page = choose(browser, SINGLE, option="0")
    assert "option-wrong" in section(page, SINGLE)
    # Then the answer stays over languages
    assert "option-wrong" in section(browser.get(f"{LESSON}?lang=en").text, SINGLE)
    # And another one replaces it
    assert "<form" in section(browser.get(f"{LESSON}?again={SINGLE}").text, SINGLE)
    choose(browser, SINGLE, option="1")
    assert "option-wrong" not in section(browser.get(LESSON).text, SINGLE)


def test_what_a_guest_did_comes_along_once_and_never_replaces_newer_work(site: Site) -> None:
    person = site.person("Boris")
    browser = site.signed_in(person)
    choose(browser, SINGLE, option="1")
    work = {"answers": {SINGLE: [0], NUMBER: 120, "m99-l01-q1": [0], ORDER: "junk"}, "lessons": ["m01-l02", "m99-l01", 7]}
    answer = browser.ask("POST", "/guest-work", json=work, headers={"X-CSRFToken": browser.csrf()})
    assert answer.json == {"answers": 1, "lessons": 1}
    stored = site.cases.quizzes.answers(person.id, "m01-l01")
    assert stored[SINGLE].answer == [1]
    assert stored[NUMBER].correct
    assert site.cases.reading.all(person.id)["m01-l02"] is not None


@pytest.mark.parametrize(
    "work", ["[]", '{"answers": []}', '{"lessons": {}}', "nonsense", '{"answers": {"m01-l01-q1": {"a": []}}}']
)
def test_odd_guest_work_is_refused_or_ignored_but_never_breaks_anything(site: Site, work: str) -> None:
    browser = site.signed_in(site.person("Vera"))
    headers = {"X-CSRFToken": browser.csrf(), "Content-Type": "application/json", "Accept": "application/json"}
    assert browser.ask("POST", "/guest-work", data=work, headers=headers).status_code in (200, 400)


def test_reading_is_remembered_and_may_be_taken_back_without_scripts(site: Site) -> None:
    browser = site.signed_in(site.person("Gleb"))
    browser.post(f"{LESSON}/reading", state="done", next=LESSON)
    assert re.search(r'data-lesson="m01-l01">.*?<span class="side-done">', browser.get("/lessons/m01-l02").text, re.S)
    browser.post(f"{LESSON}/reading", state="undone")
    assert 'class="side-done">' not in browser.get("/lessons/m01-l02").text
    assert browser.post(f"{LESSON}/reading", state="burnt").status_code == 400


def test_a_lesson_that_is_not_free_tells_a_guest_what_it_is_and_asks_for_an_account(site: Site) -> None:
    answer = site.browser().get("/lessons/m04-l01?lang=en")
    assert answer.status_code == 401
    assert "This lesson needs an account" in answer.text
    assert 'class="quiz' not in answer.text
    assert 'class="code' not in answer.text
    assert site.browser().post("/quizzes/m04-l01-q1", option="0").status_code == 401
    assert site.signed_in(site.person("Dina")).get("/lessons/m04-l01").status_code == 200


@pytest.mark.parametrize("path", ["/lessons/m04-l04", "/lessons/m99-l01", "/lessons/..%2f..%2fetc", "/lessons/" + "x" * 500])
def test_a_planned_or_unknown_lesson_is_a_readable_404(site: Site, path: str) -> None:
    answer = site.browser().get(path)
    assert answer.status_code == 404
    assert "<h1>" in answer.text


def test_the_course_page_names_everything_and_has_one_honey_button(site: Site) -> None:
    for browser in (site.browser(), site.signed_in(site.person("Egor"))):
        page = browser.get("/course?lang=en").text
        assert page.count("btn-primary") == 1
        for module in site.cases.catalog.modules:
            assert f'id="{module.id}"' in page
        for entry in site.cases.catalog.order:
            assert f'id="{entry.id}"' in page
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))


def test_a_lesson_page_costs_at_most_three_statements_and_the_course_page_a_constant_number(site: Site) -> None:
    browser = site.signed_in(site.person("Fyodor"))
    browser.get(LESSON)
    with statements(site) as first:
        browser.get(LESSON)
    reads = [statement for statement in first if "rate_buckets" not in statement]
    assert len(reads) <= 3, reads
    with statements(site) as before:
        browser.get("/course")
    for lesson_id in list(site.cases.catalog.lessons)[:6]:
        browser.post(f"/lessons/{lesson_id}/reading", state="done")
    with statements(site) as after:
        browser.get("/course")
    assert len(after) <= len(before)


def test_a_first_view_of_a_lesson_without_its_diagrams_is_light(site: Site) -> None:
    """HTML, styles, scripts, fonts of both alphabets and icons, as they travel: gzip for HTML, brotli for the rest."""
    names = json.loads((DIST / "manifest.json").read_text())
    files = [names[name] for name in ("main.css", "lesson.css", "main.js", "lesson.js", "icons.svg")]
    files += [chunk for name in ("main.js:preload", "lesson.js:preload") for chunk in names.get(name, [])]
    carried = sum((DIST / f"{file}.br").stat().st_size for file in files)
    carried += sum(font.stat().st_size for font in (DIST / "a").glob("*.woff2") if "-600-" not in font.name)
    for lesson_id in ("m01-l01", "m01-l08"):
        page = site.browser().get(f"/lessons/{lesson_id}?lang=ru").text
        assert carried + len(gzip.compress(page.encode())) <= 200_000


def test_a_guest_who_comes_back_is_told_that_nothing_changed_and_forms_still_work(site: Site) -> None:
    # Given a guest who has read a lesson
    guest = site.browser()
    first = guest.get(f"{LESSON}?lang=en")
    tag = first.headers["ETag"]
    # Then asking again costs nothing, as long as language, theme and the session are the same
    assert guest.get(f"{LESSON}?lang=en", headers={"If-None-Match": tag}).status_code == 304
    assert guest.get(f"{LESSON}?lang=ru", headers={"If-None-Match": tag}).status_code == 200
    assert site.browser().get(f"{LESSON}?lang=en", headers={"If-None-Match": tag}).status_code == 200
    # And each guest's forms carry a token of their own
    other = site.browser()
    pages = [browser.get(f"{LESSON}?lang=en").text for browser in (guest, other)]
    tokens = [re.findall(r'name="csrf_token" value="([^"]+)"', page) for page in pages]
    assert tokens[0]
    assert len(set(tokens[0])) == 1
    assert tokens[0][0] != tokens[1][0]
    assert other.ask("POST", f"/quizzes/{SINGLE}", data={"option": "0", "csrf_token": tokens[1][0]}).status_code == 200
    assert "unsafe-inline" in other.get(f"{LESSON}?lang=en").headers["Content-Security-Policy"]


def test_nobody_gets_a_page_with_the_name_of_another(site: Site) -> None:
    browser = site.signed_in(site.person("Zinaida"))
    assert "Zinaida" in browser.get(LESSON).text
    guest = site.browser()
    assert "Zinaida" not in guest.get(LESSON).text
    assert "ETag" not in browser.get(LESSON).headers
