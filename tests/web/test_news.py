"""The bell in the header rings for verdicts, and answers to objections, that one has not looked at."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from app.accounts.model import Role, User
from app.db import new_id, now
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.report import CheckReport, Report, Words
from app.learning.model import Objection
from tests.web.site import Browser, Site
from tests.web.test_frame_security import statements

QUEUE = "r1-hello-queue"
LESSON = "/lessons/m01-l01"


@pytest.fixture
def anna(site: Site) -> User:
    return site.person("Anna")


def graded(site: Site, user: User) -> str:
    """A submission with a verdict; its id."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values = {"state": SubmissionState.GRADED, "verdict": Verdict.PASSED, "score": 100, "finished_at": now(),
              "report": Report("passed", 100, 1, 1.0, ()).to_json()}  # fmt: skip
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return sent.id


def answered(site: Site, user: User, exercise_id: str = QUEUE) -> str:
    """An objection with an answer; its id."""
    check = CheckReport("in-order", Words("c", "c"), "failed", 0, 10, 1.0)
    values = {"report": Report("failed", 0, 1, 1.0, (check,)).to_json(), "verdict": Verdict.FAILED, "seen_at": now(),
              "exercise_id": exercise_id}  # fmt: skip
    attempt = graded(site, user)
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == attempt).values(**values))
    made = site.cases.objections.make(user.id, "submission", attempt, "in-order", "The order is right.")
    reply(site, made)
    return made


def reply(site: Site, objection: str, text: str = "It is mended.") -> None:
    site.cases.objections.answer(site.person(f"Teacher {new_id()[:6]}", Role.INSTRUCTOR).id, objection, text)


def bell(browser: Browser, path: str) -> int:
    found = re.search(
        r'New verdicts and answers</span><span class="count">(\d+)<', browser.get(path, headers={"Accept-Language": "en"}).text
    )
    return int(found[1]) if found else 0


def test_it_counts_verdicts_until_their_author_opens_them(site: Site, anna: User) -> None:
    browser = site.signed_in(anna)
    # Given two verdicts, a submission that is still in the queue, and somebody else's verdict
    first, _second = graded(site, anna), graded(site, anna)
    site.cases.submissions.submit(anna.id, QUEUE, {})
    others = graded(site, site.person("Boris"))
    assert [bell(browser, path) for path in ("/", "/course", "/profile")] == [2, 2, 2]
    # When one is opened, then it no longer counts, on that very page
    assert bell(browser, f"/submissions/{first}") == 1
    assert browser.get(f"/submissions/{others}").status_code == 404
    assert bell(browser, "/course") == 1


def test_it_costs_one_statement_on_whole_pages_and_none_elsewhere(site: Site, anna: User) -> None:
    def asks(browser: Browser, path: str) -> int:
        with statements(site.cases) as seen:
            browser.get(path)
        asked = [" ".join(sql.split()) for sql in seen]
        bells = ("seen_at IS NULL AND submissions.verdict IS NOT NULL", "SELECT count(*) AS count_1 FROM objections")
        return sum(any(bell in sql for bell in bells) for sql in asked)

    browser = site.signed_in(anna)
    answered(site, anna)
    pages = {"/profile": 1, "/course": 1, f"/exercises/{QUEUE}/history": 0, "/no/such/page": 0, "/api/v1/me": 0}
    assert {path: asks(browser, path) for path in pages} == pages
    assert asks(site.browser(), "/course") == 0


@pytest.mark.parametrize("place", ["/objections/{objection}", f"/exercises/{QUEUE}/stuck", f"/exercises/{QUEUE}/stuck/part"])
def test_an_answer_rings_on_every_page_and_stands_on_home_until_it_is_looked_at(site: Site, anna: User, place: str) -> None:
    browser = site.signed_in(anna)
    objection = answered(site, anna)
    answered(site, site.person("Boris"))
    assert [bell(browser, path) for path in ("/", "/course", "/profile", LESSON)] == [1, 1, 1, 1]
    assert f'href="/objections/{objection}"' in browser.get("/").text
    assert "It is mended." in browser.get(place.format(objection=objection)).text
    assert [bell(browser, path) for path in ("/", "/course", "/profile", LESSON)] == [0, 0, 0, 0]
    assert "/objections/" not in browser.get("/").text
    # An answer that is written anew is new again
    reply(site, objection, "It is mended, and you have your points.")
    assert bell(browser, "/course") == 1


def test_an_objection_without_an_answer_is_silent(site: Site, anna: User) -> None:
    objection = answered(site, anna)
    with site.cases.database.transaction() as session:
        session.execute(update(Objection).where(Objection.id == objection).values(answer="", answered_at=None))
    browser = site.signed_in(anna)
    assert (bell(browser, "/"), bell(browser, "/course"), bell(browser, LESSON)) == (0, 0, 0)
    assert "The order is right." in browser.get(f"/objections/{objection}").text
    reply(site, objection)
    assert bell(browser, "/") == 1, "an objection that was looked at before it had an answer"


def test_an_answer_can_be_looked_at_once_its_exercise_has_left_the_course(site: Site, anna: User) -> None:
    objection = answered(site, anna, "r0-long-gone")
    browser = site.signed_in(anna)
    assert bell(browser, "/") == 1
    assert "It is mended." in browser.get(f"/objections/{objection}").text
    assert bell(browser, "/") == 0
