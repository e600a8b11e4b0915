"""What operators see: health, readiness, metrics, and one access line without secrets (F15, B13)."""

from __future__ import annotations

import logging
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.jobs.model import Job
from app.web import observe
from tests.web.site import Site


def test_health_asks_nobody(site: Site) -> None:
    (site.settings.home / "db" / "soty.sqlite3").unlink()
    answer = site.browser().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_without_sandboxd_the_site_is_degraded_yet_ready(site: Site) -> None:
    answer = site.browser().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["database"] == answer.json["checks"]["disk"] == "ok"
    assert answer.json["checks"]["sandboxd"].startswith("does not answer")


def test_with_everything_there_it_is_ready(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    # a short path: the name of a Unix socket has 107 bytes
    folder = site.settings.sandboxd_dir
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    with closing(socket.socket(socket.AF_UNIX)) as sandboxd:
        sandboxd.bind("control.sock")
        sandboxd.listen()
        assert site.browser().get("/readyz").json["status"] == "ready"


def test_another_schema_means_not_ready(site: Site) -> None:
    with closing(sqlite3.connect(site.settings.home / "db" / "soty.sqlite3")) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    answer = site.browser().get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert answer.json["checks"]["database"].startswith("schema 9999")


def test_metrics_count_requests_by_endpoint_and_jobs_by_state(site: Site) -> None:
    with site.cases.database.transaction() as session:
        session.add_all([Job(kind="grade", subject_id="s1"), Job(kind="grade", subject_id="s2")])
    site.browser().get("/no/such/page/at/all")
    text = site.browser().get("/metrics").text
    assert 'soty_request_seconds_count{endpoint="none",method="-",status="404"}' in text
    assert 'soty_jobs{kind="grade",state="queued"} 2.0' in text
    assert "no/such/page" not in text


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.1", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, 403),
    ],
)
def test_metrics_are_for_this_machine(site: Site, address: str, headers: dict[str, str], status: int) -> None:
    assert site.browser(address).get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize("chosen", [{"metrics_token": "let me count"}])
def test_or_for_whoever_has_the_token(site: Site, chosen: dict[str, Any]) -> None:
    far = site.browser("192.0.2.1")
    assert far.get("/metrics", headers={"Authorization": "Bearer let me count"}).status_code == 200
    assert far.get("/metrics", headers={"Authorization": "Bearer let me guess"}).status_code == 403
    assert site.browser().get("/metrics").status_code == 403


def test_the_access_line_names_path_and_person_but_no_query_and_no_body(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[dict[str, Any]] = []
    monkeypatch.setattr(observe, "log", type("Kept", (), {"info": lambda _self, event, **facts: lines.append(facts)})())
    person = site.person("Анна")
    site.signed_in(person).post("/sign-up/name?canary=1", canary="2")
    [line] = lines
    assert (line["path"], line["status"], line["user"]) == ("/sign-up/name", 405, person.id)
    assert "canary" not in str(line)


def test_a_dead_database_is_told_in_two_seconds_and_not_as_our_fault(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    browser = site.signed_in(site.person("Анна"))
    site.cases.database.dispose()
    folder = site.settings.home / "db"
    for path in list(folder.iterdir()):
        path.unlink()
    Path(folder / "soty.sqlite3").mkdir()
    answer = browser.get("/profile", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (503, "database-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
