"""People who hand in work over the running product."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from tests.product import Product, eventually

PASSWORD = "three honey pots"


@dataclass
class Learner:
    """Somebody with a token."""

    name: str
    token: str
    api: httpx.Client

    def submit(self, files: Mapping[str, str], key: str = "", exercise: str = "victim", **more: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.api.post(f"/exercises/{exercise}/submissions", json={"files": dict(files), **more}, headers=headers)

    def settled(self, submission_id: str, kind: str = "submissions") -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api.get(f"/{kind}/{submission_id}").json()
            return found if found.get("status") in ("graded", "errored") else None

        settled: dict[str, Any] = eventually("a verdict", look, within=120, every=0.3)
        return settled

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """A sandbox that is ready; it is closed whatever happens."""
        answer = self.api.post("/exercises/victim/sandbox", json={})
        assert answer.status_code == 202, answer.text
        found = str(answer.json()["id"])
        try:
            eventually("it is ready", lambda: self._state(found) == "ready", within=60, every=0.2)
            yield found
        finally:
            self.api.delete(f"/sandboxes/{found}")
            eventually("it is gone", lambda: self._state(found) == "gone", within=20, every=0.2)

    def _state(self, sandbox: str) -> str:
        return str(self.api.get(f"/sandboxes/{sandbox}").json()["state"])


def join(soty: Product, role: str = "learner") -> Learner:
    """A new person."""
    name = f"{role}-{secrets.token_hex(4)}"
    token = soty.cli("users", "add", name, "--role", role, "--password", PASSWORD, "--token").splitlines()[-1]
    return Learner(name, token, soty.api(token))


def sign_in(browser: httpx.Client, soty: Product, learner: Learner) -> None:
    """Make it a browser of this learner."""
    _send(browser, soty, "/sign-in", name=learner.name, password=PASSWORD)
    assert learner.name in browser.get("/exercises/victim").text


def speak_english(browser: httpx.Client, soty: Product) -> None:
    """Let pages be English from now on."""
    _send(browser, soty, "/language", lang="en")


def _send(browser: httpx.Client, soty: Product, path: str, **fields: str) -> None:
    token = re.search(r'name="csrf-token" content="([^"]+)"', browser.get("/sign-in").text)[1]  # type: ignore[index]
    browser.post(path, data={**fields, "csrf_token": token}, headers={"Origin": soty.url})
