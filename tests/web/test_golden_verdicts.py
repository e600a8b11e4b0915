"""What a learner reads after each kind of ending, word for word in both languages: `golden/<ending>.<language>.txt`.

A changed text is a visible diff: delete the file and run this once; the test writes it and fails, and from then on compares.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from sqlalchemy import update

from app.accounts.model import User
from app.db import now
from app.grading.model import Submission, SubmissionState, Verdict
from app.grading.progress import CheckProgress, NoteProgress, Progress, StageProgress
from app.grading.report import Cause, CheckReport, Explanation, Message, Note, Report, StageReport, Words
from app.grading.trace import Trace, packed
from tests.web.site import Site

GOLDEN = Path(__file__).parent / "golden"
QUEUE = "r1-hello-queue"
STAGES = (StageReport("queued", 0.4), StageReport("sandbox", 1.1), StageReport("isolation", 0.3), StageReport("ready", 4.2),
          StageReport("service:rabbitmq", 3.9), StageReport("attach", 0.5), StageReport("calibrate", 0.2),
          StageReport("report", 0.1))  # fmt: skip
FIRST = CheckReport("consumer-first", Words("Сначала consumer, потом producer", "First the consumer, then the producer"),
                    "passed", 15, 15, 2.5)  # fmt: skip
NOTES = (
    Note(1.0, "step", Words("Запустили consumer.", "We started the consumer."), "consumer-first"),
    Note(4.2, "step", Words("Отправили пять заказов.", "We sent five orders."), "acknowledged"),
    Note(5.0, "fault", Words("убили consumer", "killed consumer"), "acknowledged"),
    Note(5.1, "step", Words("Ждали, что заказы вернутся.", "We waited for the orders to return."), "acknowledged"),
)
SEEN = ("сообщений очереди tasks: 0 (ждали 10 с)", "messages of queue tasks: 0 (waited 10 s)")
EVENTS = (
    {"at": 90.0, "conn": 1, "from": "consumer", "to": "rabbitmq", "dir": "up", "kind": "consume", "queue": "tasks",
     "no_ack": True},
    {"at": 90.25, "conn": 1, "from": "consumer", "to": "rabbitmq", "dir": "down", "kind": "deliver", "queue": "tasks",
     "id": "1.1.1", "body": "A-17"},
    {"at": 90.5, "conn": 2, "from": "consumer", "to": "shop", "dir": "down", "kind": "response", "status": 200,
     "latency": 0.0125, "id": "2.1", "rule": "r1", "action": "delay"},
)  # fmt: skip


def failed(seen: tuple[str, str] = SEEN, cause: Cause | None = None, seconds: float = 12.0) -> Report:
    """The second of two checks failed while one fault was in force."""
    why = Message(
        Explanation("Отправили пять заказов.", "сообщений очереди tasks: 5", seen[0], "Когда вы подтверждаете."),
        Explanation("We sent five orders.", "messages of queue tasks: 5", seen[1], "When you acknowledge."),
        cause,
    )
    title = Words("Обработанное подтверждено, очередь пуста", "What was processed is acknowledged, the queue is empty")
    checks = (FIRST, CheckReport("acknowledged", title, "failed", 0, 15, seconds, why))
    return Report("failed", 15, 4711, 1.0, checks, STAGES, NOTES, {"consumer": "ready\nack A-17\n"},
                  traces=(Trace("acknowledged", EVENTS, 2),))  # fmt: skip


def passed() -> Report:
    title = Words("Обработанное подтверждено, очередь пуста", "What was processed is acknowledged, the queue is empty")
    return Report("passed", 100, 4711, 1.0, (FIRST, CheckReport("acknowledged", title, "passed", 85, 85, 4.0)), STAGES, NOTES)


def log(words: str) -> str:
    return f"{words}:\nTraceback (most recent call last):\nKeyError: 'number'"


ENDINGS: dict[str, Callable[[], Report | Progress | None]] = {
    "passed": passed,
    "failed": failed,
    "crashed": lambda: failed(
        (f"{SEEN[0]}\n{log('consumer завершился с кодом 1')}", f"{SEEN[1]}\n{log('consumer ended with exit code 1')}"),
        Cause("crashed", "consumer", exit_code=1),
    ),
    "out-of-memory": lambda: failed(cause=Cause("out-of-memory", "consumer", signal=9)),
    "timed-out": lambda: failed(
        ("за 40 с она не закончилась", "it was not through after 40 s"), Cause("timed-out", seconds=40), seconds=40.0
    ),
    "recognised": lambda: Report(
        "failed", 85, 4711, 1.0, (CheckReport("address", Words("Адрес", "Address"), "failed", 0, 5, 3.0),), STAGES
    ),
    "errored": lambda: None,
    "queued": lambda: Progress(),
    "running": lambda: Progress(
        stage="checks", check="acknowledged", checks=(CheckProgress("consumer-first", "passed", 2.5),),
        stages=(StageProgress("queued", 0.4), StageProgress("sandbox", 1.1), StageProgress("ready", 4.2)),
        notes=tuple(NoteProgress(n.at, n.kind, n.text.ru, n.text.en, n.check) for n in NOTES),
    ),
}  # fmt: skip


SHORT = ("passed", "crashed", "out-of-memory", "timed-out", "recognised")  #: one timeline is enough


def stored(site: Site, user: User, what: Report | Progress | None) -> str:
    """A submission that ended so, or goes on so; its address."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values: dict[str, object] = {"finished_at": now()}
    if isinstance(what, Report):
        values |= {"state": SubmissionState.GRADED, "verdict": Verdict(what.verdict), "score": what.score,
                   "report": what.to_json(), "traces": packed(what.traces)}  # fmt: skip
    elif what is None:
        done = Progress(stage="done", reason="sandboxd-down").to_json()
        values |= {"state": SubmissionState.ERRORED, "verdict": Verdict.ERRORED, "progress": done}
    else:
        state = SubmissionState.GRADING if what.stages else SubmissionState.QUEUED
        values = {"state": state, "progress": what.to_json()}
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return f"/submissions/{sent.id}/part"


def read(html: str) -> str:
    """What is to be read there, one block of the page a line."""
    html = re.sub(r"<(svg|select)\b.*?</\1>|<time\b.*?</time>", "", html, flags=re.DOTALL)
    html = re.sub(r'<a class="text-2" href="/submissions/[^"]*">[^<]*</a>', "", html)
    html = re.sub(r"</?(p|dl|dt|dd|ol|ul|li|summary|details|pre|tr|article|table|button)\b[^>]*>", "\n", html)
    text = unescape(re.sub(r"<[^>]+>", " ", html))
    lines = (" ".join(line.split(" ")).strip() for line in text.splitlines())
    return "\n".join(re.sub(r"[ \t]+", " ", line) for line in lines if line.strip()) + "\n"


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_reads_as_it_was_agreed(site: Site, ending: str, language: str) -> None:
    anna = site.person("anna")
    url = stored(site, anna, ENDINGS[ending]())
    browser = site.signed_in(anna)
    browser.client.set_cookie("lang", language, domain="127.0.0.1")
    text = read(browser.get(url).text.partition('<details class="stage-times"' if ending in SHORT else "\0")[0])
    path = GOLDEN / f"{ending}.{language}.txt"
    if not path.exists():
        path.write_text(text, "utf-8")
        pytest.fail(f"{path.name} was missing and has been written: read it, then run again")
    assert text == path.read_text("utf-8")


def test_no_golden_text_is_left_over() -> None:
    expected = {f"{ending}.{language}.txt" for ending in ENDINGS for language in ("en", "ru")}
    assert {path.name for path in GOLDEN.iterdir()} == expected
