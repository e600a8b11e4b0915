"""Every route answers each kind of person as the matrix declares (W01, W02, W04, G15)."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.settings import Settings
from app.web.app import create_app
from app.web.sessions import UNSAFE
from app.wiring.use_cases import use_cases
from tests.web.authorization import ACTORS, ROUTES, Outcome, Row
from tests.web.site import BOOKKEEPING, Site
from tests.web.world import World, people


@pytest.fixture
def world(site: Site) -> World:
    return people(site)


def routes(app: Flask) -> dict[tuple[str, str], Rule]:
    """Every method of every rule."""
    return {
        (method, rule.endpoint): rule
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def address(site: Site, world: World, endpoint: str, method: str) -> str:
    """The route's address for the owner's things."""
    rule = routes(site.app)[method, endpoint]
    with site.app.test_request_context(base_url=site.settings.base_url):
        return site.app.url_for(endpoint, **{name: world.arguments[name] for name in rule.arguments})


def ask(world: World, actor: str, method: str, path: str, row: Row, token: str = "") -> TestResponse:
    browser = world.browsers[actor]
    if method not in UNSAFE:
        return browser.ask(method, path)
    headers = {"X-CSRFToken": token} if token else {}
    body = {key: value.format(**world.arguments) if isinstance(value, str) else value for key, value in row.body.items()}
    as_json = path.startswith("/api/") or row.sends == "json"
    return browser.ask(method, path, headers=headers, **{"json" if as_json else "data": body})


def outcome(answer: TestResponse) -> Outcome:
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code == 401 or (answer.status_code in (302, 303) and (answer.location or "").startswith("/sign-in")):
        return "sign-in"
    return {403: "forbidden", 404: "hidden"}.get(answer.status_code, "ok")


def test_every_route_has_a_row_and_every_row_a_route(site: Site) -> None:
    there = set(routes(site.app))
    assert not there - set(ROUTES), "routes without a row in tests/web/authorization.py"
    assert not set(ROUTES) - there, "rows without a route in tests/web/authorization.py"


@pytest.mark.parametrize(("method", "endpoint"), ROUTES, ids=lambda part: str(part))
def test_each_kind_of_person_gets_what_the_matrix_says(site: Site, world: World, method: str, endpoint: str) -> None:
    row, path, got = ROUTES[method, endpoint], address(site, world, endpoint, method), {}
    for actor in ACTORS:
        browser = world.browsers[actor]
        got[actor] = outcome(ask(world, actor, method, path, row, browser.csrf() if method in UNSAFE else ""))
    assert got == dict(row.outcomes)


@pytest.mark.parametrize(("method", "endpoint"), [key for key in ROUTES if key[0] in UNSAFE], ids=lambda part: str(part))
def test_a_change_without_the_pages_token_is_refused_and_changes_nothing(
    site: Site, world: World, method: str, endpoint: str
) -> None:
    row, path = ROUTES[method, endpoint], address(site, world, endpoint, method)
    before = site.rows(*BOOKKEEPING)
    for actor in ("guest", "owner", "admin"):
        answer = ask(world, actor, method, path, row)
        assert answer.status_code == 403, actor
        if path.startswith("/api/"):
            assert answer.json["code"] == "csrf"
    assert site.rows(*BOOKKEEPING) == before


def test_reading_changes_no_row(site: Site, world: World) -> None:
    before = site.rows(*BOOKKEEPING)
    for method, endpoint in ROUTES:
        if method != "GET":
            continue
        path = address(site, world, endpoint, method)
        for actor in ("guest", "owner", "admin"):
            for verb in ("GET", "HEAD"):
                world.browsers[actor].ask(verb, path)
        after = site.rows(*BOOKKEEPING)
        changed = [table for table in before if after[table] != before[table]]
        assert not changed, f"{endpoint} changed {changed}"


def test_the_suite_notices_a_route_without_a_row(tmp_path: Path, site: Site) -> None:
    """Positive control: the comparison above can fail."""
    app = create_app(Settings(home=tmp_path, testing=True), use_cases(site.settings, site.cases.database, site.cases.library))
    app.add_url_rule("/forgotten", "forgotten", lambda: "")
    assert set(routes(app)) - set(routes(site.app)) == {("GET", "forgotten")}
    assert ("GET", "forgotten") not in ROUTES
