"""axe finds nothing on any page, in light and dark, and no page scrolls sideways on the narrowest phone."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.accounts.model import Role
from app.db import new_id
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow
from tests.product import free_port
from tests.web.browser import AXE
from tests.web.classroom import EXERCISE, handed_in, has_read, learners
from tests.web.site import Site

pytestmark = pytest.mark.browser
GUEST = (
    "/",
    "/about",
    "/course",
    "/lessons/m01-l01",
    "/exercises",
    f"/exercises/{EXERCISE}",
    "/sign-in",
    "/sign-up",
    "/no/such/page",
)
LEARNER = (
    "/",
    "/exercises",
    f"/exercises/{EXERCISE}",
    "/submissions/{failed}",
    "/submissions/{queued}",
    "/profile",
    "/profile/password",
)
ADMIN = (
    "/panel/learners?search=a&order=lessons", "/panel/learners/{anna}", "/panel/submissions?verdict=failed",
    "/panel/submissions/{failed}", "/panel/submissions/{errored}",
    "/panel/sandboxes", "/panel/content", "/panel/users?role=learner", "/panel/audit",
    "/panel/submissions?verdict=grading",
)  # fmt: skip
#: dark pages differ from light ones in their colours only
RULES = {
    "light": "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})",
    "dark": "axe.run({runOnly: ['color-contrast']})",
}


@pytest.fixture
def chosen() -> dict[str, Any]:
    return {"port": free_port()}


@pytest.fixture
def people(site: Site) -> dict[str, str]:
    """A class with something on every page; what the addresses above name."""
    anna, *_ = learners(site, "Anna", "Александра-Виктория Константинопольская", "Maximilian Featherstonehaugh-Cholmondele")
    admin = learners(site, "Хозяйка", role=Role.ADMIN)[0]
    has_read(site, anna, "m01-l01")
    with site.cases.database.transaction() as session:
        session.add(
            SandboxRow(id=new_id(), owner_id=anna.id, exercise_id=EXERCISE, content_hash="c" * 64, state=SandboxState.READY)
        )
    site.accounts.audit.note(admin.id, "user.role", "user", anna.id, old="learner", new="mentor")
    found = {verdict: handed_in(site, anna, verdict) for verdict in ("passed", "failed", "errored", "queued")}
    starts = site.accounts.sign_ins.start
    return {**found, "anna": anna.id, "LEARNER": starts(anna.id), "ADMIN": starts(admin.id), "GUEST": ""}


def opened(browser: Browser, base: str, token: str, scheme: str) -> Page:
    """A page of a browser that is signed in where there is a token."""
    context = browser.new_context(locale="en-US", color_scheme=scheme, reduced_motion="reduce")
    if token:
        context.add_cookies([{"name": "soty_session", "value": token, "url": base}])
    page = context.new_page()
    page.set_default_timeout(15_000)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("who", "paths"), [("GUEST", GUEST), ("LEARNER", LEARNER), ("ADMIN", ADMIN)], ids=["guest", "learner", "admin"]
)
def test_axe_finds_nothing_on_any_page(
    chromium: Browser, url: str, people: dict[str, str], who: str, paths: tuple[str, ...], scheme: str
) -> None:  # fmt: skip
    page = opened(chromium, url, people[who], scheme)
    faults = {}
    for path in paths:
        page.goto(url + path.format(**people))
        page.evaluate(AXE.read_text())
        found = page.evaluate(RULES[scheme])["violations"]
        if found:
            faults[path] = [(fault["id"], [node["target"] for node in fault["nodes"]][:3]) for fault in found]
    page.context.close()
    assert faults == {}


@pytest.mark.parametrize("width", [320, 768])
def test_no_page_scrolls_sideways(chromium: Browser, url: str, people: dict[str, str], width: int) -> None:
    wide = []
    for who, paths in (("GUEST", GUEST), ("LEARNER", LEARNER), ("ADMIN", ADMIN)):
        page = opened(chromium, url, people[who], "light")
        page.set_viewport_size({"width": width, "height": 800})
        for path in paths:
            page.goto(f"{url}{path.format(**people)}")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                wide.append((who, path))
        page.context.close()
    assert wide == []
