"""The web application over a database of its own, and browsers and programs that use it, for tests of this suite."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from app.accounts.model import Role, User
from app.settings import Settings
from app.wiring.use_cases import UseCases

PASSWORD = "three honey pots"
#: written by every request that is worth counting; no learner's or course's data
BOOKKEEPING = ("rate_buckets", "sign_ins")


@dataclass
class Browser:
    """One browser with its cookies. `path` may hold a query string."""

    app: Flask
    home: str
    address: str = "127.0.0.1"
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def ask(self, method: str, path: str, **more: Any) -> TestResponse:
        """A bare request, without any help."""
        place = {"base_url": self.home, "environ_base": {"REMOTE_ADDR": self.address}}
        return self.client.open(path, method=method, **{**place, **more})

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def csrf(self) -> str:
        """The token that pages carry for this browser, made as Flask-WTF makes it; `page_csrf` reads it from a page."""
        with self.client.session_transaction(base_url=self.home) as session:
            raw = session.setdefault("csrf_token", "0" * 40)
        return str(URLSafeTimedSerializer(self.app.config["SECRET_KEY"], salt="wtf-csrf-token").dumps(raw))

    def page_csrf(self, path: str = "/sign-up") -> str:
        """The token that a page carries for this browser."""
        return re.search(r'name="csrf-token" content="([^"]+)"', self.get(path).text)[1]

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form as a page would."""
        return self.ask("POST", path, data={**fields, "csrf_token": self.csrf()})

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        return self.post("/sign-in", name=name, password=password)

    def cookie(self, name: str) -> str:
        found = self.client.get_cookie(name, domain="127.0.0.1")
        return found.value if found else ""


@dataclass
class Site:
    """The application, its use cases, and ways in."""

    app: Flask
    settings: Settings
    cases: UseCases

    @property
    def accounts(self) -> Any:
        return self.cases.accounts

    def person(self, name: str, role: Role = Role.LEARNER, **more: Any) -> User:
        """An account with the usual password."""
        return self.accounts.users.add(name, PASSWORD, role=role, **more)

    def browser(self, address: str = "127.0.0.1") -> Browser:
        """A browser that nobody is signed in with."""
        return Browser(self.app, self.settings.base_url, address)

    def signed_in(self, person: User, address: str = "127.0.0.1") -> Browser:
        """A browser of this person, signed in as through the front door but without its 30 ms of hashing."""
        browser = self.browser(address)
        browser.client.set_cookie("soty_session", self.accounts.sign_ins.start(person.id), domain="127.0.0.1")
        return browser

    def rows(self, *but: str) -> dict[str, str]:
        """A fingerprint of every table."""
        path = Path(self.settings.home / "db" / "soty.sqlite3")
        with closing(sqlite3.connect(path)) as file:
            tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            return {
                table: hashlib.sha256(repr(sorted(file.execute(f'SELECT * FROM "{table}"'), key=repr)).encode()).hexdigest()
                for table in tables
                if table not in but
            }

    def audit(self) -> list[str]:
        """Actions of the audit log, the newest first."""
        return [entry.event.action for entry in self.accounts.audit.newest()]
