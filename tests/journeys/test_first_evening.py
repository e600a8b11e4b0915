"""A person's first evening, end to end, in a real browser over the real engine; then the instructor's look at it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.content.exercise import Exercise, load_exercise
from tests.journeys.bench import MINUTE, hand_in, saved, settled, type_file
from tests.journeys.screens import FOLDER, screenshots
from tests.product import TOP, Product, eventually

pytestmark = [pytest.mark.browser, pytest.mark.engine("embedded")]
QUEUE = load_exercise(TOP / "exercises" / "r1-hello-queue")
GREETER = load_exercise(TOP / "exercises" / "g1-greeter")


@pytest.fixture(scope="module")
def soty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("evening"), SOTY_LOG_LEVEL="warning") as product:
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


def test_a_guest_reads_in_both_languages_and_answers(soty: Product, page: Page) -> None:
    page.goto(f"{soty.url}/lessons/m01-l01?lang=ru")
    expect(page.get_by_role("heading", level=1)).to_have_text("Одна система, два устройства")
    page.get_by_role("button", name="EN", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One system, two shapes")
    quiz = page.locator("form.quiz, .quiz form").filter(has=page.get_by_role("radio")).first
    quiz.get_by_role("radio").first.check()
    quiz.get_by_role("button", name="Answer").click()
    expect(page.locator("#announcer")).to_contain_text("correct")
    eventually(
        "the answer is kept in the browser", lambda: "m01-l01" in page.evaluate("JSON.stringify(localStorage)"), within=10
    )
    screenshots(page, "lesson")


def test_signing_up_carries_the_answers_over(soty: Product, page: Page) -> None:
    page.goto(f"{soty.url}/sign-up?next=/exercises/r1-hello-queue")
    page.get_by_label("Name").fill("Anna Evening")
    page.get_by_label("Password", exact=True).fill("honeycomb at dusk")
    page.get_by_role("button", name="Sign up").click()
    page.wait_for_url("**/exercises/r1-hello-queue")
    expect(page.locator("#editor .cm-content")).to_be_visible()
    token = soty.cli("users", "token", "Anna Evening")
    with soty.api(token) as api:
        assert api.get("/me").json()["name"] == "Anna Evening"


def test_images_are_prepared_while_the_page_says_so(soty: Product, page: Page) -> None:
    """The button opens by itself once everything that the sandbox needs is there."""
    expect(page.get_by_role("button", name="Start the sandbox")).to_be_enabled(timeout=10 * MINUTE)


def test_a_word_typed_now_comes_out_in_the_services_log(soty: Product, page: Page) -> None:
    words = f"Evening order {secrets.token_hex(4)}"
    files = QUEUE.solution()
    producer = files["producer.py"].replace('WORDS = "Process order"', f'WORDS = "{words}"')
    assert words in producer
    type_file(page, "producer.py", producer)
    type_file(page, "consumer.py", files["consumer.py"])
    saved(page)
    page.get_by_role("button", name="Start the sandbox").click()
    expect(page.locator("#sandbox-bar")).to_contain_text("ready", timeout=2 * MINUTE)
    page.locator("#start-producer").click()
    page.get_by_role("navigation", name="Lower part").get_by_role("button", name="Logs").click()
    expect(page.locator("#log")).to_contain_text(words, timeout=MINUTE)
    screenshots(page, "workbench-running")


def test_broken_code_fails_the_named_check_with_its_message(soty: Product, page: Page) -> None:
    files = QUEUE.solution(next(m.dir for m in QUEUE.definition.mutants if "address" in m.killed_by))
    for path in QUEUE.editable_paths:
        type_file(page, path, files[path])
    saved(page)
    page.get_by_role("button", name="Run checks").click()
    assert settled(page, "run") == "failed"
    failed = page.locator(".check-failed").first
    for word in ("Done", "Expected", "Seen"):
        expect(failed).to_contain_text(word)
    screenshots(page, "workbench-failed")


def hands_in_what_is_right(page: Page, exercise: Exercise) -> None:
    """Type the reference, submit, and wait for `passed`."""
    files = exercise.solution()
    for path in exercise.editable_paths:
        type_file(page, path, files[path])
    saved(page)
    hand_in(page)
    assert settled(page, "submission") == "passed"


def test_the_mended_code_passes_when_submitted(soty: Product, page: Page) -> None:
    hands_in_what_is_right(page, QUEUE)
    expect(page).to_have_title(re.compile("passed", re.IGNORECASE))
    screenshots(page, "workbench-passed")


def test_the_greeter_is_solved_as_well(soty: Product, page: Page) -> None:
    page.goto(f"{soty.url}/exercises/g1-greeter")
    hands_in_what_is_right(page, GREETER)


def test_home_shows_what_was_done(soty: Product, page: Page) -> None:
    page.goto(soty.url)
    expect(page.get_by_role("main")).to_contain_text("Your course")
    screenshots(page, "home")


def test_the_instructor_sees_it_all(soty: Product, browser: Browser) -> None:
    soty.cli("users", "add", "Ines", "--role", "instructor", "--password", "a long honey word")
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{soty.url}/sign-in?next=/panel/learners")
    page.get_by_label("Name").fill("Ines")
    page.get_by_label("Password", exact=True).fill("a long honey word")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="EN", exact=True).click()  # accounts made by an admin begin in Russian
    expect(page.get_by_role("row", name="Anna Evening")).to_be_visible()
    screenshots(page, "panel-learners")
    page.get_by_role("link", name="Submissions", exact=True).first.click()
    page.get_by_role("row", name="Anna Evening").first.get_by_role("rowheader").get_by_role("link").click()
    expect(page.get_by_role("main")).to_contain_text("Report, as the learner sees it")
    screenshots(page, "panel-submission")
    page.goto(f"{soty.url}/panel/sandboxes")
    expect(page.get_by_role("row", name="Anna Evening")).to_be_visible()
    page.goto(f"{soty.url}/panel/content")
    expect(page.get_by_role("main")).to_contain_text("r1-hello-queue")
    screenshots(page, "panel-content")
    context.close()


def test_the_same_by_api(soty: Product) -> None:
    token = soty.cli("users", "add", "Program", "--token")
    with soty.api(token) as api:
        files = {path: GREETER.solution()[path] for path in GREETER.editable_paths}
        answer = api.post("/exercises/g1-greeter/submissions", json={"files": files})
        assert answer.status_code == 202, answer.text
        found = eventually("a verdict", lambda: _verdict(api, answer.json()["id"]), within=120, every=0.3)
    assert found["verdict"] == "passed"
    assert found["score"] == 100
    assert [check["status"] for check in found["checks"]] == ["passed"] * len(GREETER.definition.checks.items)


def _verdict(api: httpx.Client, submission_id: str) -> dict[str, object] | None:
    found = api.get(f"/submissions/{submission_id}").json()
    return json.loads(json.dumps(found)) if found["status"] in ("graded", "errored") else None


def test_screens_were_taken(tmp_path: Path) -> None:
    """The pictures that people look at lie under var/screens/."""
    taken = list(FOLDER.glob("*.png"))
    assert len(taken) >= 20
