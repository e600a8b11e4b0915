"""Who is stuck: what a failed attempt says, on its page and through the API."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape

from sqlalchemy import update

from app.accounts.model import Role, User
from app.db import now
from app.grading.model import Run, Submission, SubmissionState, Verdict
from app.grading.report import CheckReport, Explanation, Message, Report, StageReport, Words
from app.grading.trace import Trace, packed
from tests.web.site import Browser, Site

QUEUE = "r1-hello-queue"
PAGE = f"/exercises/{QUEUE}"
MISTAKE = "the consumer hopes that the queue is there already"


def failed(*checks: str, **more: object) -> Report:
    why = Explanation("We started it.", "three orders", "none", "Your queue.")
    found = tuple(CheckReport(check, Words(check, check), "failed", 0, 10, 1.0, Message(why, why)) for check in checks)
    return Report("failed", 0, 4711, 1.0, found, **more)


def graded(site: Site, user: User, report: Report) -> str:
    """A submission with this report; its id."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values = {"state": SubmissionState.GRADED, "verdict": Verdict(report.verdict), "score": report.score, "finished_at": now(),
              "report": report.to_json(), "traces": packed(report.traces)}  # fmt: skip
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return sent.id


def tried(site: Site, user: User, report: Report, files: dict[str, str]) -> str:
    """A trial on the learner's own sandbox with this report; its id."""
    run = Run(
        user_id=user.id, exercise_id=QUEUE, sandbox_id="s" * 20, files=json.dumps(files), seed=report.seed,
        state=SubmissionState.GRADED, verdict=Verdict(report.verdict), finished_at=now(), report=report.to_json(),
        traces=packed(report.traces),
    )  # fmt: skip
    with site.cases.database.transaction() as session:
        session.add(run)
        session.flush()
        return run.id


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


def test_a_message_says_once_where_it_goes_and_how_many_are_let_through(site: Site, browser: Browser, anna: User) -> None:
    common = {"at": 1.0, "conn": 1, "from": "worker", "to": "rabbitmq"}
    events = (
        {**common, "dir": "up", "kind": "qos", "prefetch": 1},
        {**common, "dir": "up", "kind": "qos", "prefetch": 0},
        {**common, "dir": "down", "kind": "deliver", "queue": "tasks", "routing_key": "tasks", "no_ack": True},
    )
    report = failed("in-order", traces=(Trace("in-order", events),))
    page = words(browser.get(f"/submissions/{graded(site, anna, report)}").text)
    assert "qos prefetch 1" in page
    assert "qos prefetch 0" in page
    assert "deliver tasks no_ack" in page


def test_a_trial_has_the_learners_own_sandbox_and_no_fresh_one(site: Site, browser: Browser, anna: User) -> None:
    report = replace(failed("in-order"), stages=(StageReport("sandbox", 0.1), StageReport("reset", 2.0)))
    page = words(browser.get(f"/runs/{tried(site, anna, report, {})}").text)
    assert "Your sandbox" in page
    assert "A fresh sandbox" not in page


def test_lists_never_load_what_the_taps_saw(site: Site, browser: Browser, anna: User) -> None:
    from sqlalchemy import event as listen

    graded(site, anna, failed("in-order"))
    seen: list[str] = []
    listen.listen(site.cases.database.engine, "before_cursor_execute", lambda *parts: seen.append(parts[2]))
    for path in ("/", "/exercises", f"/api/v1/exercises/{QUEUE}/submissions", f"{PAGE}/history"):
        assert browser.get(path).status_code == 200
    assert seen
    assert not [text for text in seen if "traces" in text]


def test_the_ladder_goes_from_the_mistake_over_the_lesson_and_hints_to_a_person(
    site: Site, browser: Browser, anna: User
) -> None:
    nothing = words(browser.get(f"{PAGE}/stuck").text)
    assert "Nothing has been checked yet." in nothing
    assert "you can say here that the check is wrong" in nothing
    graded(site, anna, failed("consumer-first"))
    page = browser.get(f"{PAGE}/stuck").text
    read = words(page)
    places = [read.index(part) for part in (MISTAKE, "Read the last lines of the consumer's log", "In the lesson:",
                                            "Hints 0/3", "Hint 1 of 3", "Ask a person", "This check is wrong")]  # fmt: skip
    assert places == sorted(places)
    assert 'href="/lessons/m05-l03' in page
    assert "auto_ack" not in read, "no code"


def test_doubt_is_said_and_begins_with_the_checks_own_question(site: Site, browser: Browser, anna: User) -> None:
    graded(site, anna, failed("in-order"))
    read = words(browser.get(f"{PAGE}/stuck/part").text)
    assert "we do not guess" in read
    assert read.count("How many messages go out for one order") == 1


def test_hints_open_from_the_ladder_one_at_a_time_with_and_without_scripts(site: Site, browser: Browser, anna: User) -> None:
    assert browser.post(f"{PAGE}/stuck/hints/2").status_code == 409
    opened = browser.post(f"{PAGE}/stuck/hints/1")
    assert (opened.status_code, opened.location) == (303, f"{PAGE}/stuck#ladder-hints")
    assert "who creates the queue?" in browser.get(f"{PAGE}/stuck").text
    headers = {"HX-Request": "true", "X-CSRFToken": browser.csrf()}
    part = browser.ask("POST", f"{PAGE}/stuck/hints/2", headers=headers).text
    assert part.count('id="ladder"') == 1
    assert re.search(r'id="hints"[^>]*hx-swap-oob="true"', part), "the task's own list of hints follows"
    assert len(site.cases.hints.opened(anna.id, QUEUE)) == 2


def test_the_workbench_opens_it_by_a_link_where_scripts_do_not_run(browser: Browser) -> None:
    assert re.search(rf'<a [^>]*href="{PAGE}/stuck"[^>]*data-do="stuck"', browser.get(PAGE).text)
    assert "Hints open one at a time" in browser.get(f"{PAGE}/stuck").text or "Hint 1 of 3" in browser.get(f"{PAGE}/stuck").text


def objected(
    browser: Browser, submission: str, check: str = "in-order", message: str = "The order is right: <b>see</b>."
) -> int:
    fields = {"kind": "submission", "attempt": submission, "check": check, "message": message}
    return int(browser.post(f"{PAGE}/objections", **fields).status_code)


def test_an_objection_reaches_the_instructors_with_its_evidence_and_the_answer_comes_back(
    site: Site, browser: Browser, anna: User
) -> None:
    submission = graded(site, anna, failed("in-order", "closed"))
    assert objected(browser, submission) == 303
    assert objected(browser, submission) == 409
    teacher = site.signed_in(site.person("Teacher", Role.INSTRUCTOR))
    teacher.client.set_cookie("lang", "en", domain="127.0.0.1")
    listed = teacher.get("/panel/objections").text
    assert "1 learner says that a check is wrong." in words(teacher.get("/panel/learners").text)
    place = re.search(r"/panel/objections/\w{20}", listed)
    assert place
    page = teacher.get(place[0]).text
    assert "<b>see</b>" not in page
    assert all(part in words(page) for part in ("The order is right: <b>see</b>.", "in-order", "4711", "We started it."))
    assert f"/panel/submissions/{submission}" in page
    assert teacher.post(f"{place[0]}/answer", answer="You are right, it is mended.").status_code == 303
    assert "Nobody waits for an answer." in teacher.get("/panel/objections").text
    assert "You are right, it is mended." in browser.get(f"{PAGE}/stuck").text
    assert [deed for deed in site.audit() if deed.startswith("objection")] == ["objection.answer", "objection.make"]


def test_an_objection_to_a_trial_brings_its_files_too(site: Site, browser: Browser, anna: User) -> None:
    """A trial has no page in the panel: what was tried stands beside the objection."""
    run = tried(site, anna, failed("in-order"), {"consumer.py": "print('<i>tried</i>')"})
    fields = {"kind": "run", "attempt": run, "check": "in-order", "message": "See my file."}
    assert browser.post(f"{PAGE}/objections", **fields).status_code == 303
    teacher = site.signed_in(site.person("Teacher", Role.INSTRUCTOR))
    place = re.search(r"/panel/objections/\w{20}", teacher.get("/panel/objections").text)
    assert place
    page = teacher.get(place[0]).text
    assert "<i>tried</i>" not in page
    assert "consumer.py print('<i>tried</i>')" in words(page)


def test_an_objection_is_bounded_and_about_a_failed_check_of_ones_own(site: Site, browser: Browser, anna: User) -> None:
    submission = graded(site, anna, failed("in-order"))
    assert objected(browser, submission, message=" ") == 400
    assert objected(browser, submission, message="x" * 2001) == 400
    assert objected(browser, submission, check="no-such") == 404
    other = site.signed_in(site.person("boris"))
    assert objected(other, submission) == 404
    for number in range(5):
        assert objected(browser, graded(site, anna, failed("in-order")), message=f"Number {number}.") == 303
    assert objected(browser, submission) == 429
    fine = failed("in-order")
    passed = CheckReport("closed", Words("c", "c"), "passed", 10, 10, 1.0)
    assert objected(browser, graded(site, anna, replace(fine, checks=(*fine.checks, passed))), check="closed") == 400


def test_the_api_takes_an_objection_and_lists_ones_own(site: Site, browser: Browser, anna: User) -> None:
    submission = graded(site, anna, failed("in-order"))
    body = {"kind": "submission", "attempt": submission, "check": "in-order", "message": "It errs."}
    place, headers = f"/api/v1/exercises/{QUEUE}/objections", {"X-CSRFToken": browser.csrf()}
    made = browser.ask("POST", place, json=body, headers=headers)
    assert (made.status_code, made.get_json()["state"], made.get_json()["seed"]) == (201, "open", made.get_json()["seed"])
    assert [one["message"] for one in browser.get(place).get_json()["objections"]] == ["It errs."]
    again = browser.ask("POST", place, json={**body, "message": "x" * 2001}, headers=headers)
    assert again.status_code in (400, 422)


def test_an_attempt_of_somebody_else_or_another_exercise_is_no_ladder_of_mine(site: Site, browser: Browser, anna: User) -> None:
    submission = graded(site, anna, failed("in-order"))
    address = f"stuck?kind=submission&attempt={submission}&check=in-order"
    assert browser.get(f"{PAGE}/{address}").status_code == 200
    assert browser.get(f"/exercises/g1-greeter/{address}").status_code == 404
    mentor = site.signed_in(site.person("mentor", Role.MENTOR))
    assert mentor.get(f"{PAGE}/{address}").status_code == 404, "even where the submission itself may be read"
