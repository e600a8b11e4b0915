"""One's own profile, API tokens, one-time passwords, and what admins may not do to themselves (W03, W17, B08)."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine

from app.accounts.faults import SENTENCES
from app.accounts.model import Role
from app.accounts.tokens import MOST
from app.db import now
from app.errors import Conflict, NotFound
from app.web.language import TRANSLATIONS
from tests.web.site import PASSWORD, Site


def ask_api(site: Site, authorization: str, path: str = "/api/v1/course") -> int:
    headers = {"Authorization": authorization} if authorization else {}
    return site.browser().get(path, headers=headers).status_code


def test_a_person_changes_name_address_language_and_colours(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    changed = browser.post("/profile", name="Анна К", email="anna@example.org", language="en", theme="dark")
    assert changed.status_code == 303
    page = browser.get("/profile").text
    assert '<html lang="en" data-bs-theme="dark">' in page
    assert 'value="Анна К"' in page
    assert 'value="anna@example.org"' in page


def test_a_name_that_somebody_else_has_is_refused_beside_its_field(site: Site) -> None:
    site.person("Борис")
    browser = site.signed_in(site.person("Анна"))
    answer = browser.post("/profile", name="борис", email="", language="ru", theme="system")
    assert answer.status_code == 422
    assert 'id="name-fault">Это имя или похожее на вид уже занято.' in answer.text


@pytest.mark.parametrize("extra", ["role", "active", "id", "password_hash"])
def test_a_profile_takes_no_field_that_it_does_not_show(site: Site, extra: str) -> None:
    person = site.person("Анна")
    fields = {"name": "Анна", "email": "", "language": "ru", "theme": "system", extra: "admin"}
    assert site.signed_in(person).post("/profile", **fields).status_code == 400
    assert site.accounts.users.get(person.id).role is Role.LEARNER


def test_a_token_is_shown_once_and_opens_the_api(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    page = browser.post("/profile/tokens", label="laptop").text
    token = re.search(r'id="new-token"[^>]*>([^<]+)<', page)[1]
    assert token.startswith("soty_")
    assert token not in browser.get("/profile").text
    assert "laptop" in browser.get("/profile").text
    assert ask_api(site, f"Bearer {token}", "/api/v1/me") == 200
    assert ask_api(site, "", "/api/v1/me") == 401


def test_a_token_that_is_revoked_expired_or_mistyped_opens_nothing(site: Site) -> None:
    person = site.person("Анна")
    tokens = site.accounts.tokens
    revoked, short = tokens.create(person.id, "one"), tokens.create(person.id, "two", now() + timedelta(hours=1))
    [row] = [row for row in tokens.of(person.id) if row.label == "one"]
    assert site.signed_in(person).post(f"/profile/tokens/{row.id}/revoke").status_code == 303
    assert ask_api(site, f"Bearer {revoked}") == 401
    assert ask_api(site, f"Bearer {short}") == 200
    with time_machine.travel(now() + timedelta(hours=2), tick=False):
        assert ask_api(site, f"Bearer {short}") == 401
    for wrong in ("Bearer", "Bearer ", f"Bearer {short}x", f"Basic {short}", short, "Bearer " + "x" * 5000):
        assert ask_api(site, wrong) == 401


@pytest.mark.parametrize("name", ["token", "access_token", "api_token"])
def test_a_token_in_an_address_is_refused_even_when_it_is_right(site: Site, name: str) -> None:
    token = site.accounts.tokens.create(site.person("Анна").id)
    answer = site.browser().get(f"/api/v1/course?{name}={token}", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json["code"]) == (400, "token-in-address")


def test_a_token_never_makes_a_browser_session(site: Site) -> None:
    token = site.accounts.tokens.create(site.person("Анна").id)
    browser = site.browser()
    browser.get("/api/v1/submissions", headers={"Authorization": f"Bearer {token}"})
    assert browser.cookie("soty_session") == ""
    assert browser.get("/profile", headers={"Authorization": f"Bearer {token}"}).status_code == 302


def test_nobody_revokes_another_persons_token(site: Site) -> None:
    anna, eve = site.person("Анна"), site.person("Eve")
    token = site.accounts.tokens.create(anna.id)
    [row] = site.accounts.tokens.of(anna.id)
    assert site.signed_in(eve).post(f"/profile/tokens/{row.id}/revoke").status_code == 404
    assert ask_api(site, f"Bearer {token}") == 200


def test_there_is_an_end_to_tokens(site: Site) -> None:
    person = site.person("Анна")
    for _ in range(MOST):
        site.accounts.tokens.create(person.id)
    with pytest.raises(Conflict):
        site.accounts.tokens.create(person.id)


def test_a_one_time_password_opens_one_page_only_until_it_is_changed(site: Site) -> None:
    # Given a person whose password an admin reset
    person, admin = site.person("Анна"), site.person("admin", Role.ADMIN)
    once = site.accounts.users.reset_password(person.id, admin.id)
    browser = site.browser()
    browser.post("/sign-in", name="Анна", password=once, next="/profile?x=1")
    # When they go anywhere
    sent = browser.get("/profile?x=1")
    # Then they are asked for a new one first
    assert (sent.status_code, sent.location) == (303, "/profile/password?next=/profile?x%3D1")
    assert browser.get("/api/v1/submissions").json["code"] == "password-change-needed"
    fields = {"present": once, "password": "four honey pots", "next": "/profile?x=1"}
    assert browser.post("/profile/password", **fields).location == "/profile?x=1"
    assert browser.get("/profile").status_code == 200
    # And the one-time password is spent
    assert site.browser().sign_in("Анна", once).status_code == 401


def test_a_reset_ends_tokens_and_is_written_down(site: Site) -> None:
    person, admin = site.person("Анна"), site.person("admin", Role.ADMIN)
    token = site.accounts.tokens.create(person.id)
    site.accounts.users.reset_password(person.id, admin.id)
    assert ask_api(site, f"Bearer {token}") == 401
    newest = site.accounts.audit.newest()[0]
    assert (newest.actor, newest.event.action, newest.event.target_id) == ("admin", "user.reset-password", person.id)


@pytest.mark.parametrize(
    ("present", "fresh", "field"),
    [("wrong one", "four honey pots", "present"), (PASSWORD, PASSWORD, "password"), (PASSWORD, "short", "password"),
     (PASSWORD, "АННА АННА", "password"), (PASSWORD, "x" * 201, "password")],
)  # fmt: skip
def test_a_bad_new_password_is_refused_and_the_old_one_stays(site: Site, present: str, fresh: str, field: str) -> None:
    browser = site.signed_in(site.person("анна анна"))
    answer = browser.post("/profile/password", present=present, password=fresh, next="")
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-fault">[^<]', answer.text)
    assert site.browser().sign_in("анна анна").status_code == 303


def test_the_last_admin_stays_one(site: Site) -> None:
    users = site.accounts.users
    admin = site.person("admin", Role.ADMIN)
    for deed in (lambda: users.set_role(admin.id, Role.LEARNER, admin.id), lambda: users.set_active(admin.id, False, admin.id)):
        with pytest.raises(Conflict):
            deed()
    second = site.person("second", Role.ADMIN)
    users.set_active(second.id, False, admin.id)
    with pytest.raises(Conflict):
        users.set_role(admin.id, Role.LEARNER, admin.id)
    users.set_active(second.id, True, admin.id)
    assert users.set_role(admin.id, Role.LEARNER, second.id).role is Role.LEARNER


def test_the_first_start_makes_one_admin_with_a_one_time_password(site: Site) -> None:
    users = site.accounts.users
    once = users.ensure_admin()
    assert once
    assert users.ensure_admin() is None
    admin = users.check("admin", once)
    assert (admin.role, admin.must_change_password) == (Role.ADMIN, True)


def test_roles_are_changed_for_people_who_exist(site: Site) -> None:
    with pytest.raises(NotFound):
        site.accounts.users.set_role("nobody", Role.ADMIN, None)


def test_every_fault_is_said_in_russian(site: Site) -> None:
    with site.app.test_request_context("/?lang=ru"):
        from flask_babel import gettext

        assert TRANSLATIONS.is_dir()
        assert not [sentence for sentence in SENTENCES.values() if gettext(sentence) == sentence]
