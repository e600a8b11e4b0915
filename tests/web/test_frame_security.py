"""What every answer carries, and what no request gets past (W04, W05, W11, W12, W16, W18)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from app.accounts.model import Role
from app.wiring.use_cases import UseCases
from tests.web.site import PASSWORD, Site


@contextmanager
def statements(cases: UseCases) -> Iterator[list[str]]:
    """SQL that runs meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(cases.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(cases.database.engine, "before_cursor_execute", note)


@pytest.mark.parametrize("path", ["/sign-in", "/no/such/page", "/api/v1/course", "/healthz", "/static/none.js"])
def test_every_answer_carries_the_headers(site: Site, path: str) -> None:
    headers = site.browser().get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff" or path.startswith("/static/")
    if not path.startswith("/static/"):
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Referrer-Policy"] == "same-origin"
        assert len(headers["X-Request-ID"]) == 16


def test_pages_of_a_person_are_not_kept_by_the_browser(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    assert browser.get("/profile").headers["Cache-Control"] == "no-store"
    assert browser.get("/profile/x.css").headers["Cache-Control"] == "no-store"
    guest = site.browser().get("/no/such/page")
    assert guest.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in guest.headers["Vary"]


@pytest.mark.parametrize(
    "path",
    ["/static/../wsgi.py", "/static/%2e%2e/wsgi.py", "/.git/config", "/.env", "/?__debugger__=yes&cmd=resource&f=x",
     "/static/dist/../../app.py", "//etc/passwd"],
)  # fmt: skip
def test_nothing_but_the_site_is_served(site: Site, path: str) -> None:
    answer = site.browser().get(path)
    assert answer.status_code in (404, 308) or path.startswith("/?")
    assert b"create_app" not in answer.data
    assert b"Werkzeug" not in answer.data


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1.evil.example:8000"}, {"Origin": "http://127.0.0.1:8001"}],
)  # fmt: skip
def test_a_form_from_another_site_is_refused_even_with_a_token(site: Site, headers: dict[str, str]) -> None:
    browser = site.signed_in(site.person("Анна"))
    fields = {"name": "Eve", "email": "", "language": "ru", "theme": "system", "csrf_token": browser.csrf()}
    assert browser.ask("POST", "/profile", data=fields, headers=headers).status_code == 403
    assert browser.ask("POST", "/profile", data=fields, headers={"Origin": site.settings.base_url}).status_code == 303


def test_a_form_without_a_token_or_with_somebody_elses_is_refused(site: Site) -> None:
    anna, eve = site.signed_in(site.person("Анна")), site.signed_in(site.person("Eve"))
    fields = {"name": "Eve2", "email": "", "language": "ru", "theme": "system"}
    for token in ({}, {"csrf_token": eve.csrf()}, {"csrf_token": "x"}):
        assert anna.ask("POST", "/profile", data={**fields, **token}).status_code == 403


def test_a_method_cannot_be_smuggled(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    before = site.rows("rate_buckets")
    for headers in ({"X-HTTP-Method-Override": "POST"}, {"X-Method-Override": "DELETE"}):
        browser.get("/profile?_method=POST&name=Eve", headers=headers)
    assert site.rows("rate_buckets") == before


def test_a_page_under_a_foreign_host_name_sends_home(site: Site) -> None:
    sent = site.browser().get("/sign-in?next=/profile", base_url="http://evil.example")
    assert (sent.status_code, sent.location) == (307, "http://127.0.0.1:8000/sign-in?next=/profile")


def test_forwarding_headers_of_strangers_mean_nothing(site: Site) -> None:
    site.person("Анна")
    lies = {
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Original-URL": "/profile",
        "Forwarded": "for=9.9.9.9",
    }
    answer = site.browser().get("/sign-in", headers=lies)
    assert answer.status_code == 200
    assert "evil.example" not in answer.text
    # a guesser who invents an address for each try is still one guesser
    browser = site.browser("10.0.0.1")
    tries = [
        browser.ask("POST", "/sign-in", headers={"X-Forwarded-For": f"10.1.1.{n}"},
                    data={"name": "Анна", "password": "no", "csrf_token": browser.csrf()}).status_code
        for n in range(8)
    ]  # fmt: skip
    assert tries == [401] * 6 + [429] * 2


@pytest.mark.parametrize("chosen", [{"proxies": 1}])
def test_the_configured_proxy_is_believed(site: Site, chosen: dict[str, Any]) -> None:
    site.person("Анна")

    def guess(address: str) -> int:
        browser = site.browser("10.0.0.1")
        fields = {"name": "Анна", "password": "no", "csrf_token": browser.csrf()}
        return browser.ask("POST", "/sign-in", data=fields, headers={"X-Forwarded-For": f"6.6.6.6, {address}"}).status_code

    assert [guess("192.0.2.1") for _ in range(7)] == [401] * 6 + [429]
    assert guess("192.0.2.2") == 401


@pytest.mark.parametrize("chosen", [{"url": "https://soty.example.org"}])
def test_under_tls_every_cookie_is_bound_to_the_host(site: Site, chosen: dict[str, Any]) -> None:
    site.person("Анна")
    browser = site.browser()
    page = browser.get("/sign-in")
    token = page.text.split('name="csrf-token" content="')[1].split('"')[0]
    signed = browser.ask("POST", "/sign-in", data={"name": "Анна", "password": PASSWORD, "csrf_token": token},
                         headers={"Referer": "https://soty.example.org/sign-in"})  # fmt: skip
    cookies = [
        c for c in (*page.headers.getlist("Set-Cookie"), *signed.headers.getlist("Set-Cookie")) if not c.startswith("lang=")
    ]
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-soty_form", "__Host-soty_session", "__Host-soty_known"}
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


def test_without_tls_cookies_are_still_out_of_scripts_reach(site: Site) -> None:
    site.person("Анна")
    browser = site.browser()
    signed = browser.sign_in("Анна")
    [cookie] = [c for c in signed.headers.getlist("Set-Cookie") if c.startswith("soty_session=")]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_knowing_who_asks_costs_one_statement(site: Site) -> None:
    browser = site.signed_in(site.person("Анна", Role.ADMIN))
    with statements(site.cases) as seen:
        browser.get("/no/such/page")
    assert [sql.split()[0] for sql in seen] == ["SELECT"]


def test_a_guest_costs_none(site: Site) -> None:
    with statements(site.cases) as seen:
        site.browser().get("/sign-in")
    assert seen == []


def test_learners_text_is_shown_as_text(site: Site) -> None:
    browser = site.signed_in(site.person("Анна"))
    hostile = '"><script>alert(1)</script>{{7919*7919}}'
    for page in (
        browser.post("/profile", name=hostile, email=hostile, language="ru", theme="system").text,
        browser.post("/profile/tokens", label=hostile).text,
        browser.get("/sign-in", query_string={"next": hostile, "name": hostile}).text,
    ):
        assert "<script>alert" not in page
        assert "62710561" not in page
