"""An exercise whose checks are not proven is nowhere offered; an instructor learns why, and what cures it."""

from __future__ import annotations

import shutil

import pytest

from app.accounts.model import Role, User
from app.content.exercise import load_exercise
from app.content.library import Library
from app.content.proof import proof_path
from app.settings import CHECKOUT, Settings
from app.web.proof_words import proof_figures
from tests.web.site import Browser, Site

QUEUE, GREETER = "r1-hello-queue", "g1-greeter"
WITHHELD = "This exercise is not offered now: its checks are not proven."
COMMAND = f"./soty exercise prove {QUEUE}"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The real course, where a file of r1 was changed after its proof and the platform after that of g1."""
    place = tmp_path_factory.mktemp("course")
    shutil.copytree(CHECKOUT / "exercises", place / "exercises")
    with (place / "exercises" / QUEUE / "checks" / "checks.py").open("a") as checks:
        checks.write("# another check would follow\n")
    greeter = place / "exercises" / GREETER
    proof = load_exercise(greeter).proof
    assert proof
    text = proof.to_json().replace(proof.platform, "0" * 64)
    proof_path(greeter).write_text(text)
    return Library(Settings(home=place / "home", exercises_dir=place / "exercises"))


def english(browser: Browser) -> Browser:
    browser.client.set_cookie("lang", "en", domain="127.0.0.1")
    return browser


def teacher(site: Site) -> Browser:
    return english(site.signed_in(site.person("Olga", Role.INSTRUCTOR)))


@pytest.mark.parametrize("page", ["/exercises", "/", "/course", "/lessons/m05-l03"])
def test_no_page_leads_to_it(site: Site, anna: User, page: str) -> None:
    shown = english(site.signed_in(anna)).get(page).text
    assert f'href="/exercises/{QUEUE}"' not in shown
    guest = site.browser().get(f"{page}?lang=en").text
    assert f'href="/exercises/{QUEUE}"' not in guest


def test_its_own_page_says_so_in_both_languages(site: Site, anna: User) -> None:
    answer = english(site.signed_in(anna)).get(f"/exercises/{QUEUE}")
    assert answer.status_code == 409
    assert WITHHELD in answer.text
    assert "exercise prove" not in answer.text, "commands are for those who can run them"
    assert "Your files and your history are kept." in answer.text
    assert "Упражнение пока закрыто" in site.browser().get(f"/exercises/{QUEUE}?lang=ru").text


def test_an_instructor_learns_why_and_what_cures_it(site: Site) -> None:
    browser = teacher(site)
    page = browser.get(f"/exercises/{QUEUE}").text
    assert "its files have changed since the proof" in page
    assert COMMAND in page
    panel = browser.get("/panel/content").text
    assert COMMAND in panel
    assert "not proven" in panel


def test_nothing_can_be_begun_through_the_api(site: Site, anna: User) -> None:
    headers = {"Authorization": f"Bearer {site.accounts.tokens.create(anna.id)}"}
    browser = site.browser()
    lines = {line["id"]: line for line in browser.get("/api/v1/exercises", headers=headers).json["exercises"]}
    assert lines[QUEUE]["planned"]
    assert not lines[GREETER]["planned"]
    asked = [
        browser.get(f"/api/v1/exercises/{QUEUE}?lang=en", headers=headers),
        browser.ask("POST", f"/api/v1/exercises/{QUEUE}/sandbox", json={}, headers=headers),
        browser.ask("POST", f"/api/v1/exercises/{QUEUE}/runs", json={}, headers=headers),
        browser.ask("POST", f"/api/v1/exercises/{QUEUE}/submissions", json={"files": {}}, headers=headers),
    ]
    assert [(answer.status_code, answer.json["code"]) for answer in asked] == [(409, "not-proven")] * 4


def test_a_learner_who_was_at_work_keeps_draft_and_history(site: Site, anna: User) -> None:
    browser = english(site.signed_in(anna))
    saved = browser.post(
        f"/exercises/{QUEUE}/files", **{"file:producer.py": "print('mine')\n", "revision": "0", "action": "save"}
    )
    assert saved.status_code == 303
    assert site.cases.drafts.open(anna.id, QUEUE).files["producer.py"] == "print('mine')\n"
    assert browser.get(f"/exercises/{QUEUE}/history").status_code == 200
    refused = browser.post(f"/exercises/{QUEUE}/files", **{"file:producer.py": "x\n", "revision": "1", "action": "submit"})
    assert refused.status_code == 409
    assert WITHHELD in refused.text


def test_after_a_change_of_the_platform_it_is_offered_and_instructors_are_told(site: Site, anna: User) -> None:
    page = english(site.signed_in(anna)).get(f"/exercises/{GREETER}")
    assert page.status_code == 200
    assert "to be proved anew" not in page.text
    assert f"./soty exercise prove {GREETER}" in teacher(site).get(f"/exercises/{GREETER}").text


def test_the_page_of_a_proven_one_shows_figures_and_no_mistake(site: Site, anna: User) -> None:
    exercise = site.cases.catalog.exercise(GREETER)
    assert exercise
    assert exercise.proof
    page = english(site.signed_in(anna)).get(f"/exercises/{GREETER}").text
    with site.app.test_request_context("/?lang=en"):
        assert all(line in page for line in proof_figures(exercise.proof))
    assert "10 of 10 runs" in page
    assert f"{len(exercise.definition.mutants)} known wrong solutions were rejected" in page
    told = [mutant.why.en for mutant in exercise.definition.mutants if mutant.why.en in page]
    assert told == []
