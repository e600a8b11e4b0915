"""The start page says what is true; Home offers one large next step in every state."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from app.db import new_id, now
from app.learning.model import Draft
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow
from app.web.start import FIRST_QUEUE
from tests.web.classroom import EXERCISE, handed_in, has_read, learners
from tests.web.site import Browser, Site
from tests.web.test_frame_security import statements

BOTH = pytest.mark.parametrize("lang", ["ru", "en"])


def home(browser: Browser, lang: str = "en") -> str:
    return browser.get("/", headers={"Accept-Language": lang}).text


def next_step(page: str) -> str:
    """Title of the one large step."""
    return re.search(r'<h2 id="next">(.*?)</h2>', page, re.S)[1]


@BOTH
def test_a_guest_reads_figures_of_the_real_course(site: Site, lang: str) -> None:
    catalog = site.cases.catalog
    page = home(site.browser(), lang)
    assert {"ru": "Микросервисы, которые можно сломать", "en": "Microservices you can break"}[lang] in page
    assert str(len(catalog.lessons)) in page
    assert str(len(catalog.order)) in page
    assert f"/exercises/{FIRST_QUEUE}" in page
    mutant = catalog.exercise(FIRST_QUEUE).definition.mutants[0]
    assert mutant.why.get(lang) in page
    for module in catalog.modules:
        assert module.title.get(lang).replace("&", "&amp;") in page


def test_the_drawn_system_is_the_exercises_own(site: Site) -> None:
    page = home(site.browser())
    drawn = set(re.findall(r"<code>([\w-]+)</code>", page[page.index("system-list") : page.index("</figure>")]))
    assert drawn == set(site.cases.catalog.exercise(FIRST_QUEUE).definition.sandbox.services)


def test_the_start_page_asks_the_database_nothing(site: Site) -> None:
    with statements(site.cases) as seen:
        home(site.browser())
    assert seen == []


@BOTH
def test_the_about_page_says_what_is_kept(site: Site, lang: str) -> None:
    page = site.browser().get("/about", headers={"Accept-Language": lang}).text
    assert "argon2" in page
    assert {"ru": "общее ядро", "en": "share its kernel"}[lang] in page


def test_the_language_stays_and_the_page_too(site: Site) -> None:
    browser = site.browser()
    answer = browser.post("/language", lang="en", next="/about?x=1")
    assert (answer.status_code, answer.location) == (302, "/about?x=1")
    assert 'lang="en"' in browser.get("/", headers={"Accept-Language": "ru"}).text
    assert browser.post("/language", lang="en", next="//evil.example/").location == "/"


@BOTH
def test_a_newcomer_is_sent_to_the_first_lesson(site: Site, lang: str) -> None:
    [person] = learners(site, "Анна")
    first = next(iter(site.cases.catalog.lessons.values()))
    page = home(site.signed_in(person), lang)
    assert next_step(page) == first.text(lang).front.title
    assert {"ru": "Ваш следующий урок", "en": "Your next lesson"}[lang] in page
    assert page.count("btn-primary") == 1


def test_an_opened_lesson_is_gone_on_with(site: Site) -> None:
    [person] = learners(site, "Анна")
    first = next(iter(site.cases.catalog.lessons))
    has_read(site, person, first, done=False)
    page = home(site.signed_in(person))
    assert "Go on reading" in page
    assert f'href="/lessons/{first}"' in page


def test_a_begun_exercise_is_gone_on_with(site: Site) -> None:
    [person] = learners(site, "Анна")
    has_read(site, person, *site.cases.catalog.lessons)
    first = next(entry.id for module in site.cases.catalog.modules for entry in module.open_exercises)
    with site.cases.database.transaction() as session:
        session.add(Draft(user_id=person.id, exercise_id=first, files="{}"))
    page = home(site.signed_in(person))
    assert "Go on with your exercise" in page
    assert f'href="/exercises/{first}"' in page


def test_a_new_verdict_comes_before_everything_and_goes_once_seen(site: Site) -> None:
    [person] = learners(site, "Анна")
    submission = handed_in(site, person, "failed")
    browser = site.signed_in(person)
    page = home(browser)
    assert "New verdict" in page
    assert f"/submissions/{submission}" in page
    browser.get(f"/submissions/{submission}")
    assert "New verdict" not in home(browser)


@BOTH
def test_a_waiting_submission_is_followed_until_its_verdict(site: Site, lang: str) -> None:
    [person] = learners(site, "Анна")
    handed_in(site, person, "queued")
    page = home(site.signed_in(person), lang)
    assert 'hx-trigger="every 4s"' in page
    assert {"ru": "в очереди", "en": "queued"}[lang] in page


@BOTH
def test_a_running_sandbox_shows_its_time_and_can_be_closed(site: Site, lang: str) -> None:
    [person] = learners(site, "Анна")
    row = SandboxRow(id=new_id(), owner_id=person.id, exercise_id=EXERCISE, content_hash="c" * 64, state=SandboxState.READY,
                     expires_at=now() + timedelta(minutes=22, seconds=30))  # fmt: skip
    with site.cases.database.transaction() as session:
        session.add(row)
    browser = site.signed_in(person)
    page = home(browser, lang)
    assert {"ru": "осталось 22 минуты", "en": "22 minutes left"}[lang] in page
    answer = browser.post(f"/sandboxes/{row.id}/stop", next="/")
    assert (answer.status_code, answer.location) == (303, "/")
    assert row.id not in home(browser, lang)


@BOTH
def test_who_has_done_everything_is_told_so(site: Site, lang: str) -> None:
    [person] = learners(site, "Анна")
    has_read(site, person, *site.cases.catalog.lessons)
    browser = site.signed_in(person)
    for exercise_id in site.cases.catalog.exercises.exercises:
        browser.get(f"/submissions/{handed_in(site, person, exercise_id=exercise_id)}")
    page = home(browser, lang)
    assert next_step(page) == {"ru": "Вы прошли всё, что есть сегодня", "en": "You have finished all that exists today"}[lang]


def test_home_costs_the_same_for_a_newcomer_and_a_busy_learner(site: Site) -> None:
    newcomer, busy = learners(site, "Новичок", "Занятая")
    has_read(site, busy, *site.cases.catalog.lessons)
    for turn in range(30):
        handed_in(site, busy, "failed", ago=100.0 + turn)
    costs = []
    for person in (newcomer, busy):
        browser = site.signed_in(person)
        home(browser)
        with statements(site.cases) as seen:
            home(browser)
        costs.append(len(seen))
    assert costs[0] == costs[1] <= 6
