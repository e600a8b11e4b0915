"""People sign up, in and out; sessions end when they should (W03, W05, W06, W11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from app.accounts import passwords
from app.accounts.model import Role
from app.db import now
from tests.web.site import PASSWORD, Site


def test_a_guest_signs_up_and_goes_on_where_they_were(site: Site) -> None:
    # Given a guest who was sent to sign up from an exercise
    browser = site.browser()
    # When they choose a name and a password
    fields = {"name": "Анна", "password": PASSWORD, "email": "", "next": "/exercises/r1-hello-queue"}
    answer = browser.ask("POST", "/sign-up", data={**fields, "csrf_token": browser.page_csrf()})
    # Then they are back at the exercise, signed in
    assert (answer.status_code, answer.location) == (303, "/exercises/r1-hello-queue")
    assert "Анна" in browser.get("/profile").text
    assert site.audit() == ["user.add"]


def test_every_fault_of_a_sign_up_stands_beside_its_field_and_nothing_typed_is_lost(site: Site) -> None:
    site.person("admin")
    answer = site.browser().post("/sign-up", name="ADMIN", password="12345678", email="nobody@", next="/profile")
    assert answer.status_code == 422
    for field in ("name", "password", "email"):
        assert f'aria-describedby="{field}-hint {field}-fault" aria-invalid="true"' in answer.text
    assert 'value="ADMIN"' in answer.text
    assert 'value="nobody@"' in answer.text
    assert 'value="/profile"' in answer.text


@pytest.mark.parametrize("extra", ["role", "is_admin", "user_id", "active", "created_at", "must_change_password"])
def test_nobody_gives_themselves_more_than_the_form_has(site: Site, extra: str) -> None:
    before = site.rows()
    fields = {"name": "Eve", "password": PASSWORD, "email": "", "next": "", extra: "admin"}
    assert site.browser().post("/sign-up", **fields).status_code == 400
    assert site.rows("rate_buckets") == {table: row for table, row in before.items() if table != "rate_buckets"}


@pytest.mark.parametrize("chosen", [{"sign_up": "closed"}])
def test_a_closed_course_takes_no_strangers(site: Site, chosen: dict[str, Any]) -> None:
    browser = site.browser()
    assert 'name="password"' not in browser.get("/sign-up").text
    assert browser.post("/sign-up", name="Eve", password=PASSWORD, email="", next="").status_code == 403


def test_unknown_name_wrong_password_and_kept_out_read_the_same(site: Site) -> None:
    site.person("Анна")
    kept_out = site.person("Борис")
    site.accounts.users.set_active(kept_out.id, False, None)
    answers = [
        site.browser().sign_in("Nobody", "whatever it is"),
        site.browser().sign_in("Анна", "whatever it is"),
        site.browser().sign_in("Борис", PASSWORD),
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    said = {answer.text[answer.text.index('role="alert"') : answer.text.index("<form class=")] for answer in answers}
    assert len(said) == 1


def test_an_unknown_name_costs_one_hash_as_a_known_one_does(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.person("Анна")
    hashed: list[str] = []
    real = passwords._hasher.verify
    monkeypatch.setattr(passwords, "_hasher", type("Counting", (), {
        "verify": lambda _self, stored, given: hashed.append(stored) or real(stored, given),
        "hash": lambda _self, text: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$" + "A" * 43,
        "check_needs_rehash": lambda _self, _stored: False,
    })())  # fmt: skip
    for name in ("Анна", "Nobody"):
        site.browser().sign_in(name, "whatever it is")
    assert len(hashed) == 2


def test_an_outdated_hash_is_renewed_at_sign_in(site: Site) -> None:
    person = site.person("Анна")
    weaker = passwords.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
    with site.cases.database.transaction() as session:
        session.merge(person).password_hash = weaker.hash(PASSWORD)
    assert site.browser().sign_in("Анна").status_code == 303
    assert "m=19456,t=2" in site.accounts.users.get(person.id).password_hash


def test_a_sign_in_gives_a_fresh_session_whatever_the_browser_brought(site: Site) -> None:
    # Given a browser into which somebody planted a session of their own
    attacker, victim = site.person("Eve"), site.person("Анна")
    browser = site.signed_in(attacker)
    planted = browser.cookie("soty_session")
    # When the victim signs in with it
    assert browser.sign_in("Анна").status_code == 303
    # Then the planted token is worth nothing
    assert browser.cookie("soty_session") != planted
    other = site.browser()
    other.client.set_cookie("soty_session", planted, domain="127.0.0.1")
    assert other.get("/profile").status_code == 302
    assert victim.name in browser.get("/profile").text


def test_signing_out_ends_the_session_and_not_only_the_cookie(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    token = browser.cookie("soty_session")
    assert browser.post("/sign-out").status_code == 303
    browser.client.set_cookie("soty_session", token, domain="127.0.0.1")
    assert browser.get("/profile").status_code == 302


@pytest.mark.parametrize("deed", ["password", "role", "deactivate", "reset", "others"])
def test_another_device_is_out_at_its_next_request(site: Site, deed: str) -> None:
    person, admin = site.person("Анна"), site.person("admin", Role.ADMIN)
    lost, here = site.signed_in(person), site.signed_in(person)
    assert lost.get("/profile").status_code == 200
    if deed == "password":
        fields = {"present": PASSWORD, "password": "four honey pots", "next": ""}
        assert here.post("/profile/password", **fields).status_code == 303
        assert here.get("/profile").status_code == 200
    elif deed == "others":
        assert here.post("/profile/sign-outs").status_code == 303
        assert here.get("/profile").status_code == 200
    elif deed == "role":
        site.accounts.users.set_role(person.id, Role.MENTOR, admin.id)
    elif deed == "deactivate":
        site.accounts.users.set_active(person.id, False, admin.id)
    else:
        site.accounts.users.reset_password(person.id, admin.id)
    assert lost.get("/profile").status_code == 302


def test_a_tampered_token_is_nobody(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    token = browser.cookie("soty_session")
    for other in (token[:-1] + ("A" if token[-1] != "A" else "B"), token.upper(), "", "x" * 5000):
        browser.client.set_cookie("soty_session", other, domain="127.0.0.1")
        assert browser.get("/profile").status_code == 302


def test_a_session_lives_fourteen_days_from_its_last_use(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    with time_machine.travel(now() + timedelta(days=13), tick=False):
        assert browser.get("/profile").status_code == 200
    with time_machine.travel(now() + timedelta(days=26), tick=False):
        assert browser.get("/profile").status_code == 200
    with time_machine.travel(now() + timedelta(days=41), tick=False):
        assert browser.get("/profile").status_code == 302


def test_the_last_use_is_written_down_at_most_every_ten_minutes(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    before = site.rows()["sign_ins"]
    browser.get("/profile")
    assert site.rows()["sign_ins"] == before
    with time_machine.travel(now() + timedelta(minutes=11), tick=False):
        browser.get("/profile")
    assert site.rows()["sign_ins"] != before


def test_tokens_are_stored_as_hashes_only(site: Site) -> None:
    person = site.person("Анна")
    secrets = (site.accounts.sign_ins.start(person.id), site.accounts.tokens.create(person.id, "laptop"))
    files = b"".join(path.read_bytes() for path in (site.settings.home / "db").iterdir())
    assert person.id.encode() in files  # the search itself works
    assert not [secret for secret in secrets if secret.encode() in files]


@pytest.mark.parametrize(
    "place",
    ["//evil.example", "/\\evil.example", "https:evil.example", "https://evil.example", "javascript:alert(1)",
     "/\t/evil.example", "/\n//evil.example", "\\\\evil.example", "evil.example", "/%0d%0aSet-Cookie:x=1\r\nX: y",
     " //evil.example", "///evil.example"],
)  # fmt: skip
def test_a_sign_in_leads_to_this_site_only(site: Site, place: str) -> None:
    site.person("Анна")
    browser = site.browser()
    answer = browser.post("/sign-in", name="Анна", password=PASSWORD, next=place)
    assert (answer.status_code, answer.location) == (303, "/")
    again = browser.get("/sign-in", query_string={"next": place})
    assert (again.status_code, again.location) == (302, "/")


def test_a_local_place_keeps_its_query(site: Site) -> None:
    site.person("Анна")
    answer = site.browser().post("/sign-in", name="Анна", password=PASSWORD, next="/profile?tab=a%2Fb&x=1#tokens")
    assert answer.location == "/profile?tab=a%2Fb&x=1#tokens"
