"""Somebody loses a book through `auto_ack`, sees the worker killed and which book it took along, is told why, and mends it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from app.content.exercise import load_exercise
from tests.journeys.bench import MINUTE, hand_in, saved, settled, type_file
from tests.journeys.screens import screenshots
from tests.product import TOP, Product

pytestmark = [pytest.mark.browser, pytest.mark.engine("embedded")]
QUEUES = load_exercise(TOP / "exercises" / "r2-work-queues")
MISTAKE = next(mutant for mutant in QUEUES.definition.mutants if mutant.id == "auto-ack")
CHECKS = QUEUES.definition.checks.items
KILLED = next(item for item in CHECKS if item.id == "killed-mid-task")


@pytest.fixture(scope="module")
def soty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("lost"), SOTY_LOG_LEVEL="warning") as product:
        yield product


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture(scope="module")
def page(context: BrowserContext) -> Page:
    return context.new_page()


def report(page: Page) -> Locator:
    return page.locator("#attempt")


def first_failed(page: Page) -> Locator:
    return report(page).locator("details.check-card").first


def book_lost(page: Page) -> str:
    """The first book that the report calls lost."""
    seen = first_failed(page).locator(".seen").inner_text()
    found = re.search(r"\bB-\w+", seen)
    assert found, seen
    return found[0]


def test_the_lessons_card_leads_to_the_exercise(soty: Product, page: Page) -> None:
    page.goto(f"{soty.url}/sign-up?next=/lessons/m05-l04")
    page.get_by_label("Name").fill("Lena Late")
    page.get_by_label("Password", exact=True).fill("honeycomb at night")
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/lessons/m05-l04**")
    card = page.locator(".exercise-card")
    expect(card).to_contain_text(QUEUES.definition.title.en)
    card.get_by_role("link", name="Open the exercise").click()
    page.wait_for_url("**/exercises/r2-work-queues")
    expect(page.locator("#editor .cm-content")).to_be_visible()
    expect(page.get_by_role("button", name="Start the sandbox")).to_be_enabled(timeout=10 * MINUTE)  # images are there
    screenshots(page, "queues-bench")


def test_auto_ack_is_handed_in_and_followed(soty: Product, page: Page) -> None:
    """The checks, their steps and what they break appear while they run."""
    files = QUEUES.solution(MISTAKE.dir)
    for path in QUEUES.editable_paths:
        type_file(page, path, files[path])
    saved(page)
    hand_in(page)
    running = report(page).locator(".time-running")
    expect(running).to_contain_text(KILLED.title.en, timeout=2 * MINUTE)
    expect(running.locator(".moment-fault").first).to_contain_text(re.compile("killed|SIGKILL"), timeout=MINUTE)
    expect(running.locator(".moment-fault").first).to_be_in_viewport()
    screenshots(page, "queues-running")
    assert settled(page, "submission") == "failed"


def test_the_report_names_the_lost_book_and_the_mistake(soty: Product, page: Page) -> None:
    failed = first_failed(page)
    expect(failed).to_have_attribute("open", "")
    expect(failed.locator("summary").first).to_contain_text(KILLED.title.en)
    book = book_lost(page)
    expect(failed.locator(".explanation")).to_contain_text(
        re.compile(rf"We killed worker(-2)? .* while it was printing {book}")
    )
    expect(report(page).locator(".diagnosis")).to_contain_text(f"It looks like this: {MISTAKE.why.en}.")
    report(page).scroll_into_view_if_needed()
    screenshots(page, "queues-failed")


def test_the_messages_show_who_got_the_book_and_that_nobody_keeps_it(soty: Product, page: Page) -> None:
    trace = first_failed(page).locator("details.trace")
    trace.locator("summary").click()
    delivered = trace.get_by_role("row").filter(has_text=re.compile(rf"deliver .*no_ack.*“{book_lost(page)}”"))
    expect(delivered).to_have_count(1)
    delivered.scroll_into_view_if_needed()
    screenshots(page, "queues-messages")
    trace.locator("summary").click()


def test_the_timeline_shows_the_killed_worker(soty: Product, page: Page) -> None:
    timeline = report(page).locator("#timeline")
    expect(timeline).to_have_attribute("open", "")
    part = timeline.locator(".time-part").filter(has_text=KILLED.title.en)
    expect(part.locator(".time-name")).to_contain_text("failed")  # in words, beside the glyph
    fault = part.locator(".moment-fault")
    expect(fault).to_have_count(1)
    expect(fault).to_have_text(re.compile(r"⚡\s*fault:\s*killed worker(-2)?$"))
    fault.scroll_into_view_if_needed()
    screenshots(page, "queues-timeline")


def test_whoever_is_stuck_reads_the_same(soty: Product, page: Page) -> None:
    page.locator("#stuck-button").click()
    panel = page.get_by_role("region", name="I am stuck")
    expect(panel.locator(".rung-main")).to_have_text(f"It looks like this: {MISTAKE.why.en}.")
    expect(panel).to_contain_text(KILLED.title.en)
    screenshots(page, "queues-stuck")
    panel.get_by_role("button", name="Close").click()


def test_in_russian_it_is_the_same_story(soty: Product, page: Page) -> None:
    """The other language tells the same attempt again: nothing of it was written down in one language only."""
    book = book_lost(page)
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Русский").click()
    expect(page.get_by_role("link", name="Упражнения")).to_be_visible()
    failed = first_failed(page)
    expect(failed.locator("summary").first).to_contain_text(KILLED.title.ru)
    expect(failed.locator(".seen")).to_contain_text(book)
    expect(report(page).locator(".diagnosis")).to_contain_text(f"{MISTAKE.why.ru}.")
    expect(report(page).locator("#timeline .time-part").filter(has_text=KILLED.title.ru).locator(".moment-fault")).to_have_text(
        re.compile(r"⚡\s*\S.*worker(-2)?$")
    )
    screenshots(page, "queues-failed-ru")


def test_the_mended_worker_passes(soty: Product, page: Page) -> None:
    files = QUEUES.solution()
    type_file(page, "worker.py", files["worker.py"])
    saved(page)
    hand_in(page)
    assert settled(page, "submission") == "passed"
    expect(page).to_have_title(re.compile("пройдено", re.IGNORECASE))
    expect(report(page).locator(".report-sentence")).to_contain_text(f"{len(CHECKS)} из {len(CHECKS)}")
    expect(report(page).locator(".diagnosis")).to_have_count(0)
    screenshots(page, "queues-passed-ru")
