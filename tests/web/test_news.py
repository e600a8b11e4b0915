"""The bell in the header rings for verdicts that one has not looked at."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import update

from app.accounts.model import User
from app.db import now
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.report import Report
from tests.web.site import Browser, Site
from tests.web.test_frame_security import statements

QUEUE = "r1-hello-queue"


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


def bell(browser: Browser, path: str) -> int:
    found = re.search(
        r'New verdicts</span><span class="count">(\d+)<', browser.get(path, headers={"Accept-Language": "en"}).text
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
        return sum("seen_at IS NULL AND submissions.verdict IS NOT NULL" in " ".join(sql.split()) for sql in seen)

    browser = site.signed_in(anna)
    pages = {"/profile": 1, "/course": 1, f"/exercises/{QUEUE}/history": 0, "/no/such/page": 0, "/api/v1/me": 0}
    assert {path: asks(browser, path) for path in pages} == pages
    assert asks(site.browser(), "/course") == 0
