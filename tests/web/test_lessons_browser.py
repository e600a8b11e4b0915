"""Lessons in a real Chromium: quizzes, the language switch, diagrams, narrow screens, accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.product import free_port
from tests.web.browser import AXE
from tests.web.site import Site

pytestmark = pytest.mark.browser
LESSON = "/lessons/m01-l01"
SINGLE, ORDER = "#quiz-m01-l01-q2", "#quiz-m01-l01-q3"


@pytest.fixture
def chosen() -> dict[str, Any]:
    return {"port": free_port()}


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(locale="en-US", viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


def test_answers_stay_in_the_browser_and_move_to_the_account_at_sign_up(page: Page, url: str, site: Site) -> None:
    # Given a guest who chose a wrong option and put the steps in order by keyboard
    page.goto(url + LESSON)
    page.locator(f"{SINGLE} input[name=option]").first.check()
    page.locator(f"{SINGLE} button", has_text="Answer").click()
    page.locator(f"{SINGLE} .option-wrong").wait_for()
    assert page.evaluate("document.activeElement.textContent.trim()").endswith("not correct")
    first = page.locator(f"{ORDER} li").first
    text = first.locator(".option-text").inner_text()
    first.locator("[data-step='1']").press("Enter")
    assert page.locator(f"{ORDER} li").nth(1).locator(".option-text").inner_text() == text
    assert "2" in page.locator("#announcer").inner_text()
    # When the page is loaded again, then the answer and its reasons are there
    page.reload()
    page.locator(f"{SINGLE} .option-wrong").wait_for()
    # And after sign-up they are the account's
    page.goto(f"{url}/sign-up?next={LESSON}")
    page.fill("input[name=name]", "Zoya")
    page.fill("input[name=password]", "three honey pots")
    page.locator("main form button", has_text="Sign up").click()
    page.locator("[data-person]").wait_for()
    page.locator(f"{SINGLE} .option-wrong").wait_for()
    page.wait_for_function("localStorage.getItem('soty:guest-work') === null")
    (person,) = [person for person in site.accounts.users.all() if person.name == "Zoya"]
    assert set(site.cases.quizzes.answers(person.id, "m01-l01")) == {"m01-l01-q2"}


def test_the_language_switch_stays_on_the_paragraph(page: Page, url: str) -> None:
    page.goto(url + LESSON)
    page.evaluate("document.getElementById('h-3').scrollIntoView()")
    page.evaluate("document.querySelector('.lang-form [value=ru]').click()")  # the tool's own click would scroll first
    page.wait_for_url("**#*")
    assert page.locator("h1").inner_text() == "Одна система, два устройства"
    assert page.evaluate("location.hash") == "#h-3"
    assert 0 <= page.evaluate("document.getElementById('h-3').getBoundingClientRect().top") < 300


def test_diagrams_are_drawn_in_both_themes_and_told_in_words(page: Page, url: str) -> None:
    page.goto(url + LESSON)
    diagram = page.locator(".diagram").first
    diagram.scroll_into_view_if_needed()
    diagram.locator("svg").first.wait_for()
    light = diagram.locator("svg").first.inner_html()
    assert diagram.locator("details").get_attribute("open") is None
    page.locator("[data-theme-button]").click()
    page.wait_for_function("light => document.querySelector('.diagram svg').innerHTML !== light", arg=light)
    diagram.locator("[data-full]").click()
    page.locator("dialog svg").first.wait_for()
    page.keyboard.press("Escape")
    diagram.locator("svg").first.wait_for()


def test_the_text_reads_and_quizzes_answer_with_scripts_off(chromium: Browser, url: str) -> None:
    context = chromium.new_context(java_script_enabled=False, locale="en-US")
    page = context.new_page()
    page.goto(url + LESSON)
    assert page.locator(".diagram-text p").first.is_visible()
    assert not page.locator("[data-copy]").first.is_visible()
    page.locator(f"{SINGLE} input[name=option]").nth(1).check()
    page.locator(f"{SINGLE} button").click()
    assert page.locator(f"{SINGLE} .option-why").first.is_visible()
    context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_scrolls_sideways_but_boxes_of_their_own(page: Page, url: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for path in (LESSON, "/lessons/m01-l06", "/course"):
        page.goto(f"{url}{path}?lang=ru")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, url: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path in (LESSON, "/lessons/m01-l09", "/lessons/m04-l01", "/course"):
        page.goto(url + path)
        if path == LESSON:
            page.locator(f"{SINGLE} input[name=option]").first.check()
            page.locator(f"{SINGLE} form button").click()
            page.locator(f"{SINGLE} .option-wrong").wait_for()
        page.evaluate(AXE.read_text())
        found = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})")
        told = [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in found["violations"]]
        assert told == [], path
