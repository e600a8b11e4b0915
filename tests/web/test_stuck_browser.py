"""Stuck at the workbench, in a real browser: by keyboard alone from the button to a hint and back; nothing for axe to find."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from app.accounts.model import Role
from tests.journeys.screens import FOLDER, screenshots
from tests.product import free_port
from tests.web.browser import AXE
from tests.web.site import Site
from tests.web.test_golden_verdicts import EVENTS, failed, stored
from tests.web.test_series import series

pytestmark = pytest.mark.browser
PAGE = "/exercises/r1-hello-queue"
SCHEMES = ("light", "dark")


@pytest.fixture
def chosen() -> dict[str, Any]:
    return {"port": free_port()}


@pytest.fixture
def page(site: Site, chromium: Browser, url: str) -> Page:
    """The workbench of somebody whose submission has failed."""
    anna = site.person("anna")
    report = failed()
    stored(site, anna, report)
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    context.add_cookies([{"name": "soty_session", "value": site.accounts.sign_ins.start(anna.id), "url": url},
                         {"name": "lang", "value": "en", "url": url}])  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(url + PAGE)
    expect(page.locator(".cm-content")).to_be_visible()
    return page


def faults(page: Page) -> list[str]:
    """Ids of what axe has against the page."""
    page.evaluate(AXE.read_text())
    return [fault["id"] for fault in page.evaluate("axe.run()")["violations"]]


def focused(page: Page, within: str) -> bool:
    return bool(page.evaluate("place => document.querySelector(place).contains(document.activeElement)", within))


def test_the_ladder_is_climbed_by_keyboard_and_gives_the_focus_back(page: Page) -> None:
    button = page.get_by_role("button", name="I am stuck")
    button.focus()
    page.keyboard.press("Enter")
    panel = page.get_by_role("region", name="I am stuck")
    expect(panel).to_contain_text("What we think is wrong")
    assert focused(page, "#stuck")
    for number in (1, 2, 3):
        hint = panel.get_by_role("button", name=f"Hint {number} of 3")
        hint.focus()
        page.keyboard.press("Enter")
        expect(panel.locator(".hint-list > li")).to_have_count(number)
        assert focused(page, "#stuck"), "the focus stays in the panel"
    expect(page.locator("#hints")).to_contain_text("Hints 3/3")
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()


def test_an_objection_is_sent_from_the_panel_and_a_refusal_says_why(page: Page) -> None:
    page.get_by_role("button", name="I am stuck").click()
    panel = page.get_by_role("region", name="I am stuck")
    panel.get_by_text("This check is wrong").click()
    panel.get_by_label("What does it get wrong?").fill("   ")
    panel.get_by_role("button", name="Send to the instructors").click()
    expect(page.locator("#notes")).to_contain_text("Write in a sentence or two")
    panel.get_by_label("What does it get wrong?").fill("The order is right.")
    panel.get_by_role("button", name="Send to the instructors").click()
    expect(panel).to_contain_text("waits for an answer")


def test_messages_are_filtered_by_connection(page: Page, url: str) -> None:
    page.goto(url + str(page.locator("#attempt .attempt-head a").get_attribute("href")))
    page.locator(".trace > summary").click()
    rows = page.locator(".trace-table tbody tr:visible")
    expect(rows).to_have_count(len(EVENTS))
    page.get_by_label("Show").select_option("consumer → shop")
    expect(rows).to_have_count(1)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_it_looks_as_it_should(site: Site, page: Page, url: str, language: str) -> None:
    """Pictures for people in `var/screens`; axe in both themes and the width for us."""
    anna = site.accounts.users.named("anna")
    page.context.add_cookies([{"name": "lang", "value": language, "url": url}])
    page.goto(url + PAGE)
    report = str(page.locator("#attempt .attempt-head a").get_attribute("href"))
    page.locator("#stuck-button").click()
    expect(page.locator("#stuck")).to_be_visible()
    looked(page, f"stuck-panel-{language}")
    for name, path in (("page", f"{PAGE}/stuck?check=acknowledged"), ("report", report),
                       ("series", series(site, anna, "passed", "failed", "passed", "", state="grading")),
                       ("series-over", series(site, anna, "passed", "failed", *["passed"] * 8))):  # fmt: skip
        page.goto(url + path)
        if page.locator(".trace").count():
            page.locator(".trace > summary").click()
        looked(page, f"stuck-{name}-{language}")
    made = site.cases.objections.make(anna.id, "submission", report.rsplit("/", 1)[-1], "acknowledged", "The order is right.")
    teacher = site.person("Teacher", Role.INSTRUCTOR)
    page.context.add_cookies([{"name": "soty_session", "value": site.accounts.sign_ins.start(teacher.id), "url": url}])
    for name, path in (("objections", "/panel/objections"), ("objection", f"/panel/objections/{made}")):
        page.goto(url + path)
        looked(page, f"panel-{name}-{language}")


def looked(page: Page, name: str) -> None:
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert faults(page) == [], f"{name} {scheme}"
    screenshots(page, name)
    page.screenshot(path=FOLDER / f"{name}-whole.png", full_page=True)
