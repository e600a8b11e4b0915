"""A series of runs on its page: how far it is, and which run failed with which seed."""

from __future__ import annotations

import re
from html import unescape

import pytest

from app.accounts.model import User
from app.db import new_id, now
from app.grading.model import Run, Series, SubmissionState, Verdict
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow
from tests.web.site import Browser, Site

QUEUE = "r1-hello-queue"


def series(site: Site, user: User, *verdicts: str, state: str = "graded", wanted: int = 10) -> str:
    """A series whose runs ended so; the last one goes on while the state is `grading`."""
    row = Series(id=new_id(), user_id=user.id, exercise_id=QUEUE, sandbox_id=new_id(), files="{}", wanted=wanted,
                 state=SubmissionState(state), finished_at=now() if state != "grading" else None)  # fmt: skip
    runs = [
        Run(user_id=user.id, exercise_id=QUEUE, sandbox_id=row.sandbox_id, files="{}", seed=4700 + number, number=number,
            series_id=row.id, verdict=Verdict(verdict) if verdict else None, finished_at=now() if verdict else None)
        for number, verdict in enumerate(verdicts, 1)
    ]  # fmt: skip
    with site.cases.database.transaction() as session:
        session.add(row)
        session.add_all(runs)
    return f"/series/{row.id}"


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_it_says_how_far_it_is_and_can_be_ended(site: Site, browser: Browser, anna: User) -> None:
    url = series(site, anna, "passed", "failed", "passed", "", state="grading")
    page = browser.get(url).text
    assert "3 of 10 have ended: 2 passed, 1 failed." in words(page)
    assert 'http-equiv="refresh"' in page
    assert browser.post(f"{url}/stop").status_code == 303
    assert "It ends after this run." in browser.get(f"{url}/part").text


@pytest.mark.parametrize(
    ("verdicts", "english", "russian"),
    [
        (["errored", ""], "1 of 10 has ended: 1 not judged (our fault).", "Завершён 1 из 10: не оценён 1 (сбой у нас)."),
        (["passed", "passed", ""], "2 of 10 have ended: 2 passed.", "Завершены 2 из 10: пройдены 2."),
        ([*["failed"] * 5, *["passed"] * 2, "errored", "errored", ""], "9 of 10 have ended: 2 passed, 5 failed, 2 not judged",
         "Завершено 9 из 10: пройдены 2, не пройдено 5, не оценены 2 (сбой у нас)."),
    ],
)  # fmt: skip
def test_while_it_goes_on_every_ending_is_told_apart(
    site: Site, browser: Browser, anna: User, verdicts: list[str], english: str, russian: str
) -> None:
    url = series(site, anna, *verdicts, state="grading")
    assert english in words(browser.get(f"{url}/part").text)
    browser.client.set_cookie("lang", "ru", domain="127.0.0.1")
    assert russian in words(browser.get(f"{url}/part").text)


def test_the_result_names_the_run_that_failed_and_its_seed(site: Site, browser: Browser, anna: User) -> None:
    url = series(site, anna, "passed", "passed", "passed", "failed", *["passed"] * 6)
    page = browser.get(url).text
    assert "Passed 9 of 10. Run 4 failed: seed 4704." in words(page)
    assert len(re.findall(r'href="/runs/\w{20}"', page)) == 10
    assert re.search(r'data-do="replay" data-check="" data-seed="4704"', page)
    browser.client.set_cookie("lang", "ru", domain="127.0.0.1")
    assert "Пройдено 9 из 10. Запуск 4 не пройден: зерно 4704." in words(browser.get(url).text)


def test_what_we_broke_is_not_counted_as_a_failure(site: Site, browser: Browser, anna: User) -> None:
    assert "Passed 1 of 2. 1 was not judged: our fault." in words(browser.get(series(site, anna, "passed", "errored")).text)


def test_it_begins_from_a_plain_form_with_the_saved_files(site: Site, browser: Browser, anna: User) -> None:
    assert browser.post(f"/exercises/{QUEUE}/series").status_code == 409, "no sandbox runs"
    with site.cases.database.transaction() as session:
        box = SandboxRow(id=new_id(), owner_id=anna.id, exercise_id=QUEUE, content_hash="c" * 64, state=SandboxState.READY)
        session.add(box)
    begun = browser.post(f"/exercises/{QUEUE}/series", stop_at_failure="yes")
    assert begun.status_code == 303
    found = browser.get(f"/api/v1{begun.location}").get_json()
    assert (found["wanted"], found["stop_at_failure"], found["state"], found["runs"]) == (10, True, "queued", [])
    assert "0 of 10 have ended." in words(browser.get(begun.location).text)
