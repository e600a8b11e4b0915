"""The workbench in a real browser over the whole product with an engine that runs nothing: text is never lost, two versions
never overwrite each other silently, one sandbox at a time, everything by keyboard, nothing for axe to find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.product import TOP, Product

pytestmark = pytest.mark.browser
PAGE = "/exercises/r1-hello-queue"
AXE = TOP / "node_modules" / "axe-core" / "axe.min.js"
_number = count(1)


@pytest.fixture(scope="module")
def soty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("workbench"), SOTY_ENGINE="fake", SOTY_LOG_LEVEL="warning") as product:
        yield product


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(20_000)
    yield context
    context.close()


def sign_up(page: Page) -> None:
    """Fill in the form that the page stands on."""
    page.get_by_label("Name").fill(f"Learner {next(_number)}")
    page.get_by_label("Password", exact=True).fill("honeycomb at noon")
    page.get_by_role("button", name="Sign up").click()


def opened(context: BrowserContext, soty: Product, path: str = PAGE) -> Page:
    page = context.new_page()
    page.goto(soty.url + path)
    expect(page.locator(".cm-content")).to_be_visible()
    return page


@pytest.fixture
def page(soty: Product, context: BrowserContext) -> Page:
    """The workbench of somebody new."""
    page = context.new_page()
    page.goto(f"{soty.url}/sign-up?next={PAGE}")
    sign_up(page)
    page.wait_for_url(f"**{PAGE}")
    expect(page.locator(".cm-content")).to_be_visible()
    return page


def write(page: Page, line: str) -> None:
    """Type a line at the beginning of the file."""
    page.locator(".cm-content").click()
    page.keyboard.press("Control+Home")
    page.keyboard.type(f"{line}\n")


def first_line(page: Page) -> str:
    return page.locator(".cm-line").first.inner_text()


def state(page: Page, name: str) -> None:
    expect(page.locator("#save-state")).to_have_attribute("data-state", name)


def axe(page: Page) -> list[str]:
    """Ids of what axe has against the page."""
    page.evaluate(AXE.read_text())
    return [violation["id"] for violation in page.evaluate("axe.run()")["violations"]]


def test_a_guests_text_comes_along_into_the_account(soty: Product, context: BrowserContext) -> None:
    page = opened(context, soty)
    write(page, "# written before signing up")
    page.get_by_role("link", name="Sign up and start").click()
    sign_up(page)
    page.wait_for_url(f"**{PAGE}")
    state(page, "saved")
    assert first_line(page) == "# written before signing up"


def test_text_survives_a_dead_server_and_a_closed_tab(soty: Product, context: BrowserContext, page: Page) -> None:
    write(page, "# saved as ever")
    state(page, "saved")
    context.set_offline(True)
    write(page, "# while nobody answered")
    state(page, "retrying")
    expect(page.locator("#save-state")).to_have_text(re.compile(r"retrying in \d+ s"))
    page.close()
    context.set_offline(False)
    page = opened(context, soty)
    dialog = page.get_by_role("dialog", name="There is text here that was never saved")
    dialog.get_by_role("button", name="Take it back").click()
    state(page, "saved")
    assert first_line(page) == "# while nobody answered"
    context.set_offline(True)
    write(page, "# and again")
    state(page, "retrying")
    context.set_offline(False)
    state(page, "saved")  # by itself
    page.reload()
    assert first_line(page) == "# and again"


def test_two_tabs_never_overwrite_each_other_silently(soty: Product, context: BrowserContext, page: Page) -> None:
    other = opened(context, soty)
    write(page, "# from the first tab")
    state(page, "saved")
    write(other, "# from the second tab")
    dialog = other.get_by_role("dialog", name="These files differ from what is saved")
    expect(dialog.locator(".cm-merge-a")).to_contain_text("# from the first tab")
    expect(dialog.locator(".cm-merge-b")).to_contain_text("# from the second tab")
    assert axe(other) == []
    dialog.get_by_role("button", name="Keep mine").click()
    state(other, "saved")
    write(page, "# one more")
    page.get_by_role("dialog").get_by_role("button", name="Take theirs").click()
    expect(page.locator(".cm-line").first).to_have_text("# from the second tab")
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Restore points").click()
    expect(page.locator("#points")).to_contain_text("replaced by another tab")
    page.get_by_role("button", name=re.compile("^Restore ")).first.click()
    expect(page.locator(".cm-line").first).to_have_text("# from the first tab")


def test_a_reset_is_undone_by_one_click(page: Page) -> None:
    write(page, "# dear to me")
    state(page, "saved")
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Reset to the starter").click()
    expect(page.locator(".cm-line").first).not_to_have_text("# dear to me")
    page.get_by_label("More", exact=True).click()
    page.get_by_role("button", name="Restore points").click()
    expect(page.locator("#points")).to_contain_text("before a reset")
    page.get_by_role("button", name=re.compile("^Restore ")).first.click()
    expect(page.locator(".cm-line").first).to_have_text("# dear to me")


def test_whoever_was_signed_out_keeps_the_text_and_goes_on_after_signing_in(
    soty: Product, context: BrowserContext, page: Page
) -> None:
    elsewhere = context.new_page()
    elsewhere.goto(f"{soty.url}/exercises")
    name = elsewhere.get_by_role("link", name=re.compile("^Learner")).inner_text()
    elsewhere.get_by_role("button", name="Sign out").click()
    write(page, "# after the sign-out")
    dialog = page.get_by_role("dialog", name="You were signed out")
    expect(dialog).to_be_visible()
    elsewhere.goto(f"{soty.url}/sign-in")
    elsewhere.get_by_label("Name").fill(name)
    elsewhere.get_by_label("Password", exact=True).fill("honeycomb at noon")
    elsewhere.get_by_role("button", name="Sign in").click()
    expect(elsewhere.get_by_role("button", name="Sign out")).to_be_visible()
    page.bring_to_front()
    state(page, "saved")
    expect(dialog).not_to_be_visible()


def test_services_run_old_code_until_they_are_restarted_with_it(page: Page) -> None:
    page.get_by_role("button", name="Start the sandbox").click()
    expect(page.locator("#services")).to_have_attribute("data-state", "ready")
    expect(page.locator("#log")).to_contain_text("started")
    expect(page.locator("#old-code")).to_be_hidden()
    write(page, "# new words")
    expect(page.locator("#old-code")).to_contain_text("older files")
    page.keyboard.press("Control+s")
    expect(page.locator("#old-code")).to_be_hidden()
    expect(page.locator("#log")).to_contain_text("started again")
    assert axe(page) == []


def test_a_series_of_runs_is_begun_followed_and_ended_at_the_workbench(page: Page) -> None:
    page.locator('.lower-tabs [data-lower="checks"]').click()
    page.get_by_role("button", name="Run 10 times").click()
    series = page.locator('#attempt[data-kind="series"]')
    expect(series).to_contain_text("10 runs on your sandbox")  # the sandbox was started for it
    stop = page.get_by_role("button", name="Stop after this run")
    if stop.is_visible():
        stop.click()
    expect(series).to_have_attribute("data-settled", "yes", timeout=60_000)
    expect(page.get_by_role("button", name="Run 10 times")).to_be_enabled()
    assert axe(page) == []


def test_the_check_that_runs_stays_in_sight_until_somebody_scrolls(page: Page) -> None:
    polls = count(1)
    asked = 0

    def long_run(route: Route) -> None:
        nonlocal asked
        asked = next(polls)
        address = route.request.url
        before = "".join(f'<li class="time-part time-passed">check {number}</li>' for number in range(40))
        parts = f'{before}<li class="time-part time-running">turn {asked}</li>'
        facts = f'data-kind="run" data-id="long" data-url="{address}" data-state="grading"'
        body = f'<article class="attempt" id="attempt" {facts}><ol class="time-list no-clock">{parts}</ol></article>'
        route.fulfill(body=body, content_type="text/html")

    page.route(re.compile(r"/runs/\w+/part$"), long_run)
    page.get_by_role("button", name="Run checks").click()
    expect(page.locator(".time-running")).to_be_in_viewport()
    page.locator(".checks").hover()
    page.mouse.wheel(0, -9000)
    expect(page.locator(".time-part").first).to_be_in_viewport()
    expect(page.locator(".time-running")).to_have_text(f"turn {asked + 2}")
    expect(page.locator(".time-part").first).to_be_in_viewport()


def test_a_second_sandbox_asks_once_and_closes_the_first(soty: Product, context: BrowserContext, page: Page) -> None:
    page.get_by_role("button", name="Start the sandbox").click()
    expect(page.locator("#services")).to_have_attribute("data-state", "ready")
    other = opened(context, soty, "/exercises/g1-greeter")
    other.get_by_role("button", name="Start the sandbox").click()
    dialog = other.get_by_role("dialog", name="One sandbox at a time")
    expect(dialog).to_contain_text("RabbitMQ: a first queue")
    dialog.get_by_role("button", name="Keep it").click()
    expect(other.locator("#services")).to_have_attribute("data-state", "none")
    other.get_by_role("button", name="Start the sandbox").click()
    dialog.get_by_role("button", name="Close it and start this one").click()
    expect(other.locator("#services")).to_have_attribute("data-state", "ready")
    expect(page.locator("#services")).to_have_attribute("data-state", "none")  # the first tab learns of it by itself
    expect(page.locator("#services")).to_contain_text("You started the sandbox of another exercise.")


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.locator(".cm-content").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.classList.contains('cm-content')"), "Tab types in the editor"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('.cm-editor')"), "Esc, then Tab leaves it"
    page.locator(".cm-content").focus()
    page.keyboard.press("F6")
    assert page.evaluate("document.activeElement.closest('.pane')?.id") == "pane-services"
    page.locator('[data-size="task"]').focus()
    before = page.locator("#pane-task").bounding_box()
    page.keyboard.press("ArrowRight")
    after = page.locator("#pane-task").bounding_box()
    assert before
    assert after
    assert after["width"] > before["width"]
    page.locator("body").press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+Enter")
    expect(page.get_by_role("dialog", name="Submit these files?")).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 1680])
def test_nothing_scrolls_sideways_and_every_pane_can_be_reached(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 720})
    for pane in ("task", "code", "services", "logs", "checks"):
        if width < 768:
            page.locator(f'.pane-nav [data-pane="{pane}"]').click()
        elif pane in ("logs", "checks") or (pane == "services" and width < 1200):
            page.locator(f'.lower-tabs [data-lower="{pane}"]').click()
        elif pane == "task" and width < 1200:
            page.get_by_role("button", name="Task", exact=True).click()
        expect(page.locator(f"#pane-{pane}")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, pane
        page.keyboard.press("Escape")  # the drawer of the task lies over the rest
    assert axe(page) == []
