"""One submission, the sandboxes and the content, as instructors meet them; sandboxd answers, or does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from app.accounts.model import Role
from app.db import new_id
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow
from tests.desk import Desk, desk
from tests.web.classroom import EXERCISE, handed_in, learners
from tests.web.site import Browser, Site

BOTH = pytest.mark.parametrize("lang", ["ru", "en"])


@pytest.fixture
def teacher(site: Site) -> Browser:
    return site.signed_in(learners(site, "Преподаватель", role=Role.INSTRUCTOR)[0])


@pytest.fixture
def daemon(site: Site) -> Iterator[Desk]:
    """A sandboxd with a fake engine where the site looks for it."""
    with desk(Path(site.settings.home)) as running:
        yield running


def wanted(site: Site, sandbox_id: str, name: str = "Анна") -> None:
    """The row of a sandbox of a new learner."""
    [owner] = learners(site, name)
    with site.cases.database.transaction() as session:
        session.add(SandboxRow(id=sandbox_id, owner_id=owner.id, exercise_id=EXERCISE, content_hash="c" * 64))


@BOTH
def test_a_submission_shows_files_and_the_report_of_the_learner(site: Site, teacher: Browser, lang: str) -> None:
    [anna] = learners(site, "Анна")
    page = teacher.get(f"/panel/submissions/{handed_in(site, anna, 'failed')}", headers={"Accept-Language": lang}).text
    assert "consumer.py" in page
    assert {"ru": "Подтверждено", "en": "Acknowledged"}[lang] in page
    assert "Не вернулся" in page
    assert {"ru": "Отчёт, каким его видит учащийся", "en": "Report, as the learner sees it"}[lang] in page
    assert "attempt-texts" not in page


def test_looking_does_not_take_the_news_from_its_author(site: Site, teacher: Browser) -> None:
    [anna] = learners(site, "Анна")
    submission = handed_in(site, anna, "failed")
    teacher.get(f"/panel/submissions/{submission}")
    assert [line.id for line in site.cases.homes.of(anna.id).unseen] == [submission]


def test_a_submission_under_way_is_followed_by_the_pages_script(site: Site, teacher: Browser) -> None:
    [anna] = learners(site, "Анна")
    submission = handed_in(site, anna, "queued")
    page = teacher.get(f"/panel/submissions/{submission}").text
    assert f'data-url="/submissions/{submission}/part"' in page
    assert 'id="attempt-texts"' in page
    assert teacher.get(f"/submissions/{submission}/part").status_code == 200


def test_an_errored_submission_is_graded_again_and_the_log_says_who_asked(site: Site, teacher: Browser) -> None:
    [anna] = learners(site, "Анна")
    submission = handed_in(site, anna, "errored")
    assert "btn-primary" in teacher.get(f"/panel/submissions/{submission}").text
    assert teacher.post(f"/panel/submissions/{submission}/retry").status_code == 303
    assert "btn-primary" not in teacher.get(f"/panel/submissions/{submission}").text
    newest = site.accounts.audit.newest()[0]
    assert (newest.actor, newest.event.action, newest.event.target_id) == ("Преподаватель", "submission.retry", submission)
    assert teacher.post(f"/panel/submissions/{submission}/retry").status_code == 409
    assert len(site.accounts.audit.newest()) == 1


@pytest.mark.parametrize("path", ["/panel/submissions/nothing", "/panel/learners/nobody"])
def test_what_does_not_exist_is_not_found(teacher: Browser, path: str) -> None:
    assert teacher.get(path).status_code == 404


@BOTH
def test_without_sandboxd_pages_say_so_and_show_what_is_known(site: Site, teacher: Browser, lang: str) -> None:
    sandbox_id = new_id()
    wanted(site, sandbox_id)
    silent = {"ru": "Служба песочниц не отвечает", "en": "The sandbox service does not answer"}[lang]
    for path in ("/panel/sandboxes", "/panel/content", "/panel/content/engine"):
        page = teacher.get(path, headers={"Accept-Language": lang})
        assert page.status_code == 200, path
        assert silent in page.text, path
    assert "Анна" in teacher.get("/panel/sandboxes").text
    assert teacher.get(f"/panel/sandboxes/{sandbox_id}/logs").status_code == 503


def test_stopping_without_sandboxd_is_remembered(site: Site, teacher: Browser) -> None:
    sandbox_id = new_id()
    wanted(site, sandbox_id)
    assert teacher.post(f"/panel/sandboxes/{sandbox_id}/stop").status_code == 303
    with site.cases.database.read() as session:
        row = session.get(SandboxRow, sandbox_id)
    assert row is not None
    assert row.stop_wanted
    assert site.audit() == ["sandbox.stop"]


def test_a_running_sandbox_shows_its_services_and_logs_and_is_stopped(site: Site, teacher: Browser, daemon: Desk) -> None:
    live = daemon.ready()
    wanted(site, live.id)
    page = teacher.get("/panel/sandboxes", headers={"Accept-Language": "en"}).text
    for service in live.services:
        assert f"service-{service.state}" in page
        assert service.full_name in page
    logs = teacher.get(f"/panel/sandboxes/{live.id}/logs?service={live.services[0].full_name}")
    assert logs.status_code == 200
    assert live.id in logs.text
    for service in live.services:
        assert f"logs?service={service.full_name}" in logs.text
    assert teacher.get(f"/panel/sandboxes/{live.id}/logs?service=../etc").status_code == 200
    assert teacher.post(f"/panel/sandboxes/{live.id}/stop").status_code == 303
    daemon.until(live.id, lambda now: now.state == "gone")
    closed = teacher.get(f"/panel/sandboxes/{live.id}/logs", headers={"Accept-Language": "en"})
    assert closed.status_code == 200 or "its logs went with it" in closed.text


def test_content_shows_the_engine_and_its_images(teacher: Browser, daemon: Desk) -> None:
    page = teacher.get("/panel/content", headers={"Accept-Language": "en"}).text
    assert "sandboxes can run" in page
    assert "prober" in page or "python" in page


def test_every_exercise_has_its_proof_or_the_command_for_it(site: Site, teacher: Browser) -> None:
    page = teacher.get("/panel/content", headers={"Accept-Language": "en"}).text
    for exercise in site.cases.catalog.exercises.exercises.values():
        record = exercise.folder / "proof.json"
        current = record.is_file() and json.loads(record.read_text())["content"] == exercise.content_hash
        assert f"./soty exercise prove {exercise.id}" in page or current


def test_a_sandbox_that_is_gone_is_not_listed(site: Site, teacher: Browser) -> None:
    wanted(site, new_id())
    with site.cases.database.transaction() as session:
        session.execute(update(SandboxRow).values(state=SandboxState.GONE))
    assert "Анна" not in teacher.get("/panel/sandboxes").text
