"""Guessing passwords is slow from everywhere, and never shuts out the person themselves (W06, B07)."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from app.accounts import limits
from app.accounts.limits import Limits, Rate
from app.accounts.lockout import Lockout
from app.db import now
from app.errors import TooMany
from tests.web.site import Site


def guess(site: Site, address: str, name: str = "Анна") -> int:
    return site.browser(address).sign_in(name, "not this one either").status_code


def test_one_address_gets_six_tries_and_then_waits_longer_each_time(site: Site) -> None:
    site.person("Анна")
    answers = [guess(site, "10.0.0.1") for _ in range(8)]
    assert answers == [401] * 6 + [429] * 2
    waits = []
    at = now()
    for _ in range(8):
        at += timedelta(minutes=16)
        with time_machine.travel(at, tick=False):
            assert guess(site, "10.0.0.1") == 401
            refused = site.browser("10.0.0.1").sign_in("Анна", "not this one either")
            assert refused.status_code == 429
            waits.append(int(refused.headers["Retry-After"]))
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (15, 900)


def test_guessers_at_fifty_addresses_are_slowed_while_the_person_signs_in(site: Site) -> None:
    # Given a person whose browser signed in before
    site.person("Анна")
    own = site.browser("192.0.2.7")
    assert own.sign_in("Анна").status_code == 303
    own.post("/sign-out")
    # When fifty addresses guess their password
    answers = [guess(site, f"10.0.0.{n}") for n in range(50)]
    # Then most tries were refused unheard
    assert answers.count(401) <= 22
    assert answers[-1] == 429
    # And the person signs in all the same
    assert own.sign_in("Анна").status_code == 303
    # And somebody else's account is not touched
    site.person("Борис")
    assert site.browser("10.0.0.1").sign_in("Борис").status_code == 303


def test_a_mark_of_a_known_browser_opens_nothing_for_another_name_and_cannot_be_made(site: Site) -> None:
    site.person("Анна")
    site.person("Eve")
    eve = site.browser("10.0.0.1")
    eve.sign_in("Eve")
    eve.post("/sign-out")
    assert [eve.sign_in("Анна", "not this one").status_code for _ in range(7)] == [401] * 6 + [429]
    forged = site.browser("10.0.0.1")
    forged.client.set_cookie("soty_known", "eyJ4IjoieSJ9.forged", domain="127.0.0.1")
    assert forged.sign_in("Анна", "not this one").status_code == 429


def test_even_a_known_browser_gets_six_tries(site: Site) -> None:
    site.person("Анна")
    browser = site.browser()
    browser.sign_in("Анна")
    browser.post("/sign-out")
    assert [browser.sign_in("Анна", "not this one").status_code for _ in range(7)] == [401] * 6 + [429]


def test_a_right_password_wipes_the_slate(site: Site) -> None:
    site.person("Анна")
    for _ in range(3):
        assert [guess(site, "10.0.0.1") for _ in range(4)] == [401] * 4
        assert site.browser("10.0.0.1").sign_in("Анна").status_code == 303


def test_the_refusal_is_a_page_that_says_when(site: Site) -> None:
    site.person("Анна")
    for _ in range(6):
        guess(site, "10.0.0.1")
    browser = site.browser("10.0.0.1")
    refused = browser.ask("POST", "/sign-in", data={"name": "Анна", "password": "no", "csrf_token": browser.csrf()},
                          headers={"Accept-Language": "en"})  # fmt: skip
    assert "Too many wrong passwords for this name. Try again in 1" in refused.text
    assert 'value="Анна"' in refused.text


def test_a_limit_holds_over_several_processes(site: Site) -> None:
    # Given two processes, each with counters of its own over one database
    database = site.cases.database
    processes = [Limits(database), Limits(database)]
    rate = Rate("test", limit=10, seconds=60)
    # When they count for the same person in turn
    with time_machine.travel(now(), tick=False):
        for n in range(10):
            processes[n % 2].take(rate, "anna")
        # Then the eleventh is refused by both, and another person is not
        for process in processes:
            with pytest.raises(TooMany) as refusal:
                process.take(rate, "anna")
            assert 0 < refusal.value.retry_after <= 60
        processes[0].take(rate, "boris")


def test_a_coarse_limit_writes_once_per_stride_and_errs_by_less_than_that(site: Site) -> None:
    rate = Rate("coarse", limit=50, seconds=60, stride=10)
    process = Limits(site.cases.database)

    def allowed() -> bool:
        try:
            process.take(rate, "anna")
        except TooMany:
            return False
        return True

    with time_machine.travel(now(), tick=False):
        answers = [allowed() for _ in range(100)]
    assert 50 <= answers.index(False) < 60
    assert not any(answers[answers.index(False) :])


def test_a_window_passes(site: Site) -> None:
    rate = Rate("short", limit=1, seconds=60)
    process = Limits(site.cases.database)
    at = now()
    with time_machine.travel(at, tick=False):
        process.take(rate, "anna")
        with pytest.raises(TooMany):
            process.take(rate, "anna")
    with time_machine.travel(at + timedelta(seconds=61), tick=False):
        process.take(rate, "anna")


def test_old_counters_are_swept_and_young_ones_stay(site: Site) -> None:
    process, lockout = Limits(site.cases.database), Lockout(site.cases.database)
    process.take(limits.SIGN_UP, "10.0.0.1")
    lockout.take(("name", "anna"), free=1)
    assert process.sweep() == 0
    with time_machine.travel(now() + timedelta(days=2), tick=False):
        assert process.sweep() == 2


def test_neither_names_nor_addresses_are_stored_in_counters(site: Site) -> None:
    guess(site, "203.0.113.77", "Konstantinopolski")
    files = b"".join(path.read_bytes() for path in (site.settings.home / "db").iterdir())
    assert b"sign-in:" in files
    assert b"203.0.113.77" not in files
    assert b"konstantinopolski" not in files.lower()
