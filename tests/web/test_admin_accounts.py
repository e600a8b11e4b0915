"""Accounts by an admin's hand: made, given a role, given a one-time password, closed; the last admin stays."""

from __future__ import annotations

import re

import pytest

from app.accounts.model import Role, User
from tests.web.classroom import learners
from tests.web.site import Browser, Site

ENGLISH = {"Accept-Language": "en"}


@pytest.fixture
def boss(site: Site) -> User:
    return learners(site, "Хозяйка", role=Role.ADMIN)[0]


@pytest.fixture
def admin(site: Site, boss: User) -> Browser:
    return site.signed_in(boss)


def shown_password(page: str) -> str:
    return re.search(r'id="fresh-password">([^<]+)<', page)[1]


def test_a_new_person_signs_in_once_with_the_shown_password_and_must_choose_their_own(site: Site, admin: Browser) -> None:
    made = admin.post("/panel/users", name="Новая Наставница", role="mentor")
    assert made.status_code == 201
    password = shown_password(made.text)
    assert password not in admin.get("/panel/users").text
    assert site.accounts.users.named("Новая Наставница").role is Role.MENTOR

    browser = site.browser()
    assert browser.sign_in("Новая Наставница", password).status_code == 303
    sent = browser.get("/panel/learners")
    assert (sent.status_code, sent.location.split("?")[0]) == (303, "/profile/password")
    fresh = "four honey pots on a shelf"
    assert browser.post("/profile/password", present=password, password=fresh, next="/panel/learners").status_code == 303
    assert browser.get("/panel/learners").status_code == 200
    assert site.browser().sign_in("Новая Наставница", password).status_code == 401


@pytest.mark.parametrize(
    ("name", "role", "status"), [("x", "learner", 422), ("Хозяйка", "learner", 422), ("Пётр", "owner", 400)]
)
def test_a_faulty_form_makes_nobody(site: Site, admin: Browser, name: str, role: str, status: int) -> None:
    before = site.rows("rate_buckets", "sign_ins")
    assert admin.post("/panel/users", name=name, role=role).status_code == status
    assert site.rows("rate_buckets", "sign_ins") == before


def test_another_role_counts_at_once_and_is_recorded(site: Site, admin: Browser, boss: User) -> None:
    [anna] = learners(site, "Анна")
    browser = site.signed_in(anna)
    assert admin.post(f"/panel/users/{anna.id}/role", role="instructor").status_code == 303
    assert browser.get("/panel/learners").status_code == 302  # they sign in anew
    assert site.signed_in(anna).get("/panel/sandboxes").status_code == 200
    newest = site.accounts.audit.newest()[0]
    assert (newest.actor, newest.event.action, newest.event.target_id) == (boss.name, "user.role", anna.id)
    log = admin.get("/panel/audit", headers=ENGLISH).text
    assert "gave another role" in log
    assert "old: learner · new: instructor" in log
    assert f"/panel/learners/{anna.id}" in log


def test_a_one_time_password_ends_every_sign_in(site: Site, admin: Browser) -> None:
    anna = site.person("Анна")
    browser = site.signed_in(anna)
    answer = admin.post(f"/panel/users/{anna.id}/password")
    assert answer.status_code == 200
    assert f"/panel/users/{anna.id}/password?" not in answer.text  # links of the list lead to the list
    assert browser.get("/profile").status_code == 302
    assert site.browser().sign_in("Анна", shown_password(answer.text)).status_code == 303
    assert "user.reset-password" in site.audit()


def test_a_closed_account_is_kept_out_until_it_is_opened(site: Site, admin: Browser) -> None:
    anna = site.person("Анна")
    browser = site.signed_in(anna)
    assert admin.post(f"/panel/users/{anna.id}/active", active="no").status_code == 303
    assert browser.get("/profile").status_code == 302
    assert site.browser().sign_in("Анна").status_code == 401
    assert "user.deactivate" in site.audit()
    admin.post(f"/panel/users/{anna.id}/active", active="yes")
    assert site.browser().sign_in("Анна").status_code == 303


@pytest.mark.parametrize(("deed", "fields"), [("role", {"role": "learner"}), ("active", {"active": "no"})])
def test_the_last_admin_stays_an_admin(site: Site, admin: Browser, boss: User, deed: str, fields: dict[str, str]) -> None:
    admin.post("/language", lang="en")
    answer = admin.post(f"/panel/users/{boss.id}/{deed}", **fields)
    assert answer.status_code == 303
    assert "This is the last admin. Make somebody else an admin first." in admin.get("/panel/users").text
    assert (site.accounts.users.get(boss.id).role, site.accounts.users.get(boss.id).active) == (Role.ADMIN, True)
    assert site.audit() == []


def test_accounts_are_found_by_name_and_role(site: Site, admin: Browser) -> None:
    learners(site, "Анна", "Борис")
    learners(site, "Наставник", role=Role.MENTOR)
    mentors = admin.get("/panel/users?role=mentor").text
    assert "Наставник" in mentors
    assert "Борис" not in mentors
    assert "Борис" in admin.get("/panel/users?search=борис").text


def test_instructors_see_what_was_unusual_about_gradings_and_nothing_else(site: Site, admin: Browser, boss: User) -> None:
    site.accounts.audit.note(boss.id, "user.role", "user", boss.id, old="learner", new="mentor")
    site.accounts.audit.note(boss.id, "submission.suspicious", "submission", "s001", **{"forged-results": 7})
    teacher = site.signed_in(learners(site, "Учительница", role=Role.INSTRUCTOR)[0])
    for path in ("/panel/audit", "/panel/audit?what=user.role", "/panel/audit?what=submission.suspicious"):
        page = teacher.get(path, headers=ENGLISH).text
        assert "lines of output that look like results of checks: 7" in page
        assert "gave another role" not in page
    everything = admin.get("/panel/audit", headers=ENGLISH).text
    assert "gave another role</td>" in everything
    assert "something unusual was observed</td>" in everything
    only = admin.get("/panel/audit?what=submission.suspicious", headers=ENGLISH).text
    assert "Honest mistakes cause each of these too" in only
    assert "gave another role</td>" not in only


def test_verdicts_are_listed_when_an_admin_asks_for_them_and_drown_nothing(site: Site, admin: Browser, boss: User) -> None:
    [anna] = learners(site, "Анна")
    site.accounts.audit.note(boss.id, "user.role", "user", boss.id, old="learner", new="mentor")
    facts = {"exercise": "echo", "verdict": "failed", "score": 40, "grader": "785d227f1dce8ecd9f439c98da70"}
    for number in range(60):
        site.accounts.audit.note(anna.id, "submission.graded", "submission", f"s{number:03}", **facts)
    page = admin.get("/panel/audit", headers=ENGLISH).text
    assert "gave another role</td>" in page
    assert "had a submission graded</td>" not in page
    assert "everything but verdicts</option>" in page
    verdicts = admin.get("/panel/audit?what=submission.graded", headers=ENGLISH).text
    assert "exercise: echo · verdict: not passed yet · score: 40 · version of the checks: 785d227f1dce</td>" in verdicts
    assert verdicts.count("had a submission graded</td>") == 50
    assert ">Анна</td>" in verdicts
    assert "gave another role</td>" not in verdicts
    teacher = site.signed_in(learners(site, "Учительница", role=Role.INSTRUCTOR)[0])
    assert "had a submission graded" not in teacher.get("/panel/audit?what=submission.graded", headers=ENGLISH).text


def test_the_audit_log_is_paged_and_ends(site: Site, admin: Browser, boss: User) -> None:
    for number in range(51):
        site.accounts.audit.note(boss.id, "submission.retry", "submission", f"s{number:03}")
    newest = admin.get("/panel/audit").text
    assert "s050" in newest
    assert "s000" not in newest
    older = re.search(r'rel="next" href="([^"]+)"', newest)[1]
    oldest = admin.get(older).text
    assert "s000" in oldest
    assert 'rel="next"' not in oldest
    assert admin.get("/panel/audit?before=x").status_code == 200
