"""The pages of exercises: they show, save and hand in without scripts, and a report says what a learner needs, safely."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import event, update

from app.accounts.model import User
from app.db import now
from app.errors import Unavailable
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.report import CheckReport, Explanation, Message, Note, Report, StageReport, Words
from app.learning.image_waits import ImageWaits
from app.sandbox import sandbox_pb2 as pb
from tests.web.site import Browser, Site

QUEUE = "r1-hello-queue"
PAGE = f"/exercises/{QUEUE}"


def report(verdict: Any = "failed", **more: Any) -> Report:
    """Three checks: one passed, one failed (with a script in a log line), one skipped because of it."""
    why = Explanation(
        done="We stopped the consumer.", expected="five orders", seen='none\n<script>alert("x")</script>', where="Your ack."
    )
    checks = (
        CheckReport("consumer-first", Words("Раз", "Consumer first"), "passed", 15, 15, 0.5),
        CheckReport("producer-first", Words("Два", "Producer first"), "failed", 0, 20, 2.25, Message(why, why)),
        CheckReport("in-order", Words("Три", "In order"), "skipped", 0, 20, 0.0),
    )
    stages = (StageReport("queued", 1.0), StageReport("ready", 3.0), StageReport("service:rabbitmq", 3.0),
              StageReport("calibrate", 1.0))  # fmt: skip
    notes = (Note(1.2, "step", Words("Запустили", "Started it"), "consumer-first"),
             Note(2.0, "fault", Words("Остановили", "Killed the consumer"), "producer-first"))  # fmt: skip
    return Report(verdict, 15, 4711, 1.0, checks, stages, notes, {"consumer": "last <b>words</b>"}, **more)


def graded(site: Site, user: User, found: Report) -> str:
    """A submission with this report; its id."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values = {"state": SubmissionState.GRADED, "verdict": Verdict(found.verdict), "score": found.score, "finished_at": now(),
              "report": found.to_json()}  # fmt: skip
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return sent.id


def test_the_list_tells_how_one_stands_and_what_is_only_planned(site: Site, browser: Browser, anna: User) -> None:
    assert "not passed yet" not in browser.get("/exercises").text
    graded(site, anna, report())
    page = browser.get("/exercises").text
    row = page[page.index(f'href="{PAGE}"') : page.index("</li>", page.index(f'href="{PAGE}"'))]
    assert "not passed yet" in row
    graded(site, anna, report("passed"))
    page = browser.get("/exercises").text
    row = page[page.index(f'href="{PAGE}"') : page.index("</li>", page.index(f'href="{PAGE}"'))]
    assert re.search(r"✓.*passed", row), "the best verdict counts, not the last one"
    assert "A publisher that loses nothing" in page
    assert "/exercises/r3" not in page


def test_a_guest_sees_task_files_and_services_and_is_asked_for_an_account_at_the_sandbox(site: Site) -> None:
    page = site.browser().get(f"{PAGE}?lang=en").text
    assert "The shop takes orders faster" in page
    assert all(name in page for name in ("producer.py", "consumer.py", "shop.py", "rabbitmq"))
    assert f"/sign-up?next={PAGE}" in unescape(page)
    assert 'data-do="run"' not in page


def test_the_form_saves_and_submits_without_scripts(site: Site, browser: Browser, anna: User) -> None:
    saved = browser.post(f"{PAGE}/files", **{"file:producer.py": "print('one')\r\n", "revision": "0", "action": "save"})
    assert saved.status_code == 303
    draft = site.cases.drafts.open(anna.id, QUEUE)
    assert draft.files["producer.py"] == "print('one')\n", "a browser's line ends are not the learner's"
    sent = browser.post(f"{PAGE}/files", **{"file:producer.py": "print('two')\n", "revision": "1", "action": "submit"})
    assert re.fullmatch(r".*/submissions/\w{20}", sent.location)
    waiting = browser.get(sent.location).text
    assert 'http-equiv="refresh"' in waiting
    assert "You are next in line." in waiting
    assert site.cases.drafts.open(anna.id, QUEUE).files["producer.py"] == "print('two')\n"


def test_an_older_form_is_shown_beside_what_was_saved_meanwhile(site: Site, browser: Browser, anna: User) -> None:
    site.cases.drafts.save(anna.id, QUEUE, {"producer.py": "# from the phone\n"}, 0)
    answer = browser.post(f"{PAGE}/files", **{"file:producer.py": "# from the desk\n", "revision": "0", "action": "save"})
    assert answer.status_code == 409
    assert "# from the phone" in answer.text
    assert "# from the desk" in answer.text
    revision = re.search(r'name="revision" value="(\d+)"', answer.text)
    assert revision
    assert revision[1] == "1"
    again = browser.post(f"{PAGE}/files", **{"file:producer.py": "# from the desk\n", "revision": "1", "action": "save"})
    assert again.status_code == 303
    assert site.cases.drafts.open(anna.id, QUEUE).files["producer.py"] == "# from the desk\n"


def test_a_report_leads_with_what_failed_and_carries_no_markup_of_the_learner(site: Site, browser: Browser, anna: User) -> None:
    page = browser.get(f"/submissions/{graded(site, anna, report())}").text
    text = unescape(re.sub(r"<[^>]+>", " ", page))
    assert "<script>alert" not in page
    assert "<b>words</b>" not in page
    for words in (
        "1 of 3 checks",
        "15 of 100",
        "4711",
        "We stopped the consumer.",
        "five orders",
        "Your ack.",
        "Killed the consumer",
    ):
        assert words in text
    assert page.index("Producer first") < page.index("Consumer first"), "failed checks come first"
    assert re.search(r"<details class=\"check-card check-failed\" open>", page)
    assert "While the consumer is away, the messages must wait" in text, "the author's question for this check"
    assert "/lessons/m05-l03" in page
    widths = [
        float(width) for width in re.findall(r'<rect class="bar-(?!fault)[\w-]+" x="[\d.]+" y="6" width="([\d.]+)"', page)
    ]
    assert sum(widths) == pytest.approx(1000, abs=1), "the parts of the time bar fill it"
    listed = page[page.index('<ol class="time-list') : page.index("Producer first", page.index('<ol class="time-list')) + 900]
    assert listed.index("The services start") < listed.index("rabbitmq") < listed.index("Consumer first")
    assert listed.index("Started it") < listed.index("Producer first") < listed.index("Killed the consumer")


def test_a_verdict_counts_as_seen_once_its_author_looks(site: Site, browser: Browser, anna: User) -> None:
    submission_id = graded(site, anna, report("passed"))
    assert [line.id for line in site.cases.homes.of(anna.id).unseen] == [submission_id]
    browser.get(f"/submissions/{submission_id}/part")
    assert not site.cases.homes.of(anna.id).unseen


def test_hints_open_one_at_a_time(browser: Browser) -> None:
    assert browser.post(f"{PAGE}/hints/2").status_code == 409
    assert browser.post(f"{PAGE}/hints/1").status_code == 303
    page = browser.get(PAGE).text
    assert "Hints 1/3" in page
    assert "who creates the queue?" in page
    assert "Hint 2 of 3" in page


def test_other_peoples_work_does_not_exist(site: Site, anna: User) -> None:
    submission_id = graded(site, anna, report())
    other = site.signed_in(site.person("boris"))
    assert other.get(f"/submissions/{submission_id}").status_code == 404
    assert other.get(f"/submissions/{submission_id}/part").status_code == 404
    assert other.get("/runs/00000000000000000000").status_code == 404


def test_a_stream_needs_a_living_sandbox_of_ones_own(browser: Browser) -> None:
    def ask(**body: str) -> int:
        headers = {"X-CSRFToken": browser.csrf(), "Accept": "application/json"}
        return browser.ask("POST", "/sandboxes/00000000000000000000/tickets", json=body, headers=headers).status_code

    assert ask(kind="watch") == 404
    assert ask(kind="terminal", service="consumer") == 400
    assert ask(kind="logs") == 400


def test_files_of_the_page_are_data_and_never_markup(site: Site, browser: Browser, anna: User) -> None:
    nasty = "</textarea></script><img src=x onerror=alert(1)>"
    site.cases.drafts.save(anna.id, QUEUE, {"producer.py": nasty}, 0)
    page = browser.get(PAGE).text
    assert nasty not in page
    assert "<img src=x" not in page
    facts = re.search(r'<script type="application/json" id="bench-facts">(.*?)</script>', page, re.DOTALL)
    assert facts
    assert json.loads(facts[1])["exercise"] == QUEUE


@pytest.mark.parametrize("attempts", [0, 12])
def test_the_page_takes_as_many_statements_however_much_was_tried(
    site: Site, browser: Browser, anna: User, attempts: int
) -> None:
    for _ in range(attempts):
        graded(site, anna, report())
    seen: list[str] = []
    engine = site.cases.database.engine
    event.listen(engine, "before_cursor_execute", lambda *parts: seen.append(parts[2]))
    browser.get(PAGE)
    assert len([text for text in seen if "rate_buckets" not in text]) <= 9, "\n".join(seen)


class _Sandboxd:
    """Images of a `sandboxd`, as a test wants them."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.asked = 0

    def images(self) -> pb.ImagesReply:
        self.asked += 1
        if not self.states:
            raise Unavailable("away")
        return pb.ImagesReply(images=[pb.Image(name=name, state=state, eta_seconds=7) for name, state in self.states.items()])


def test_only_images_that_the_exercise_needs_are_waited_for(site: Site) -> None:
    exercise = site.cases.catalog.exercise(QUEUE)
    assert exercise is not None
    daemon = _Sandboxd(agent="ready", prober="ready", python="building", rabbitmq="missing", postgres="building")
    waits = ImageWaits(daemon)
    assert [wait.name for wait in waits.of(exercise)] == ["python", "rabbitmq"]
    daemon.states |= {"python": "ready", "rabbitmq": "ready"}
    assert waits.of(exercise) == ()
    asked = daemon.asked
    assert waits.of(exercise) == ()
    assert daemon.asked == asked, "what was ready once is not asked for again"
    tapped = site.cases.catalog.exercise("m01-isolated-failure")
    assert tapped is not None
    assert tapped.definition.sandbox.edges
    daemon.states |= {"tap": "building"}
    assert [wait.name for wait in waits.of(tapped)] == ["tap"], "its upstreams cannot be reached without a tap"
    assert ImageWaits(_Sandboxd()).of(exercise) == (), "a silent sandboxd blocks nothing"
