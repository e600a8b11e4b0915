"""The timeline of a run that goes on: when each part began, and how long the one that goes on has run."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest
from sqlalchemy import update

from app.accounts.model import User
from app.grading.model import Submission, SubmissionState
from app.grading.progress import CheckProgress, NoteProgress, Progress, StageProgress
from app.grading.report import Report, StageReport
from tests.web.site import Browser, Site
from tests.web.test_exercises import graded

QUEUE = "r1-hello-queue"
STAGES = (StageProgress("queued", 1.0), StageProgress("sandbox", 2.0), StageProgress("isolation", 1.5))
READY = (StageProgress("ready", 4.0), StageProgress("service:rabbitmq", 3.5))


def going_on(site: Site, user: User, progress: Progress) -> str:
    """A submission that is so far; its address."""
    sent = site.cases.submissions.submit(user.id, QUEUE, {})
    values = {"state": SubmissionState.GRADING, "progress": progress.to_json()}
    with site.cases.database.transaction() as session:
        session.execute(update(Submission).where(Submission.id == sent.id).values(**values))
    return f"/submissions/{sent.id}/part"


def lines(page: str) -> list[str]:
    """The parts of the timeline, each with what is inside it."""
    parts = re.split(r'<li class="time-part', page)[1:]
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", f"<li {part}")).split()) for part in parts]


def seconds(line: str, before: str, after: str) -> float:
    found = re.search(rf"{before}([\d.,]+) {after}", line)
    assert found, line
    return float(found[1].replace(",", "."))


@pytest.mark.parametrize(("language", "pattern"), [("en", ("", "s by now")), ("ru", ("уже ", "с"))])
def test_the_check_that_runs_tells_when_it_began_its_steps_did_and_how_long_it_has_run(
    site: Site, browser: Browser, anna: User, language: str, pattern: tuple[str, str]
) -> None:
    progress = Progress(
        stage="checks", check="acknowledged", stages=(*STAGES, *READY, StageProgress("attach", 0.5)),
        checks=(CheckProgress("consumer-first", "passed", 2.5),), since=time.time() - 30,
        notes=(NoteProgress(4.2, "fault", "Остановили", "Killed it", "acknowledged"),),
    )  # fmt: skip
    url = going_on(site, anna, progress)
    browser.client.set_cookie("lang", language, domain="127.0.0.1")
    found = lines(browser.get(url).text)
    point = "," if language == "ru" else "."
    running = next(line for line in found if "▶" in line)
    assert running.partition("▶")[0].split()[-2] == "10", "stages 7.5 s, the first check 2.5 s"
    assert seconds(running, *pattern) == pytest.approx(30, abs=15)
    assert f"11{point}2" in running, "the fault, 4.2 s after the checks connected, at 7 s"
    ended = next(line for line in found if "✓" in line)
    assert f"7{point}5" in ended.partition("✓")[0]
    assert not any(character.isdigit() for line in found if "○" in line for character in line.partition("○")[0])


def test_a_stage_that_goes_on_has_its_begin_its_time_by_now_and_what_ended_in_it(
    site: Site, browser: Browser, anna: User
) -> None:
    progress = Progress(stage="ready", stages=(*STAGES, StageProgress("service:rabbitmq", 3.5)), since=time.time() - 20)
    found = lines(browser.get(going_on(site, anna, progress)).text)
    running = next(line for line in found if "▶" in line)
    assert "The services start" in running
    assert running.partition("▶")[0].split()[-2:] == ["3", "s"]
    assert seconds(running, "", "s by now") == pytest.approx(20, abs=15)
    assert "rabbitmq starts 3.5 s" in running
    assert not any("rabbitmq" in line for line in found if line != running)


def test_no_part_of_a_stage_takes_longer_than_the_stage(site: Site, browser: Browser, anna: User) -> None:
    stages = (StageReport("queued", 0.1), StageReport("sandbox", 1.0), StageReport("ready", 2.2),
              StageReport("service:rabbitmq", 2.8))  # fmt: skip
    page = browser.get(f"/submissions/{graded(site, anna, Report('passed', 100, 1, 1.0, (), stages))}/part").text
    ready = next(line for line in lines(page) if "The services start" in line)
    assert "rabbitmq starts 2.2 s" in ready
