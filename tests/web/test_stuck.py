"""Who is stuck: what a failed attempt says, on its page and through the API."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import update

from app.accounts.model import User
from app.db import now
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.report import CheckReport, Explanation, Message, Report, Words
from app.grading.trace import Trace, packed
from tests.web.site import Browser, Site

QUEUE = "r1-hello-queue"
PAGE = f"/exercises/{QUEUE}"
MISTAKE = "the consumer hopes that the queue is there already"


@pytest.fixture
def anna(site: Site) -> User:
    return site.person("anna")


@pytest.fixture
def browser(site: Site, anna: User) -> Browser:
    browser = site.signed_in(anna)
    browser.client.set_cookie("lang", "en", domain="127.0.0.1")
    return browser


def failed(*checks: str, **more: object) -> Report:
    why = Explanation("We started it.", "three orders", "none", "Your queue.")
    found = tuple(CheckReport(check, Words(check, check), "failed", 0, 10, 1.0, Message(why, why)) for check in checks)
    return Report("failed", 0, 4711, 1.0, found, **more)  # type: ignore[arg-type]


def graded(site: Site, user: User, report: Report) -> str:
    """A submission with this report; its id."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values = {"state": SubmissionState.GRADED, "verdict": Verdict(report.verdict), "score": report.score, "finished_at": now(),
              "report": report.to_json(), "traces": packed(report.traces)}  # fmt: skip
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return sent.id


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_a_known_mistake_is_named_on_the_page_and_in_the_api(site: Site, browser: Browser, anna: User) -> None:
    submission = graded(site, anna, failed("consumer-first"))
    assert f"It looks like this: {MISTAKE}" in words(browser.get(f"/submissions/{submission}").text)
    found = browser.get(f"/api/v1/submissions/{submission}?lang=en").get_json()
    assert found["diagnosis"]["kind"] == "mistake"
    assert found["diagnosis"]["text"].startswith(MISTAKE)
    assert found["diagnosis"]["lesson"].startswith("m05-l03")
    assert "only-producer-declares" not in str(found), "what the mutants are called is nobody's business"
    assert found["timings_ms"]["check:consumer-first"] == 1000


def test_doubt_gives_the_words_of_the_check_and_success_nothing(site: Site, browser: Browser, anna: User) -> None:
    unsure = graded(site, anna, failed("in-order"))
    assert "It looks like this" not in browser.get(f"/submissions/{unsure}").text
    found = browser.get(f"/api/v1/submissions/{unsure}?lang=ru").get_json()["diagnosis"]
    assert (found["kind"], found["check"]) == ("check", "in-order")
    assert found["text"].startswith("Сколько сообщений уходит на один заказ")
    fine = graded(site, anna, Report("passed", 100, 1, 1.0, ()))
    assert browser.get(f"/api/v1/submissions/{fine}").get_json()["diagnosis"] is None


def test_messages_of_a_failed_check_are_listed_as_text_and_those_of_a_passed_one_are_not(
    site: Site, browser: Browser, anna: User
) -> None:
    event = {"at": 1.0, "conn": 1, "from": "consumer", "to": "rabbitmq", "dir": "up", "kind": "publish",
             "body": "<script>alert(1)</script>"}  # fmt: skip
    traces = (Trace("in-order", (event,)), Trace("closed", ({**event, "kind": "bind"},)))
    page = browser.get(f"/submissions/{graded(site, anna, failed('in-order', traces=traces))}").text
    assert "<script>alert" not in page
    assert "consumer → to rabbitmq publish “<script>alert(1)</script>”" in words(page)
    assert "bind" not in words(page)


def test_lists_never_load_what_the_taps_saw(site: Site, browser: Browser, anna: User) -> None:
    from sqlalchemy import event as listen

    graded(site, anna, failed("in-order"))
    seen: list[str] = []
    listen.listen(site.cases.database.engine, "before_cursor_execute", lambda *parts: seen.append(parts[2]))
    for path in ("/", "/exercises", f"/api/v1/exercises/{QUEUE}/submissions", f"{PAGE}/history"):
        assert browser.get(path).status_code == 200
    assert seen
    assert not [text for text in seen if "traces" in text]
