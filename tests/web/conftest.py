"""Fixtures of this suite: the application on a fresh, migrated database; the course is loaded once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import migrate
from app.accounts.model import User
from app.content.library import Library
from app.db import Database, make_engine
from app.settings import Settings
from app.web.app import create_app
from app.wiring.use_cases import use_cases
from tests.web.browser import chromium, url
from tests.web.site import Browser, Site

__all__ = ["chromium", "url"]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with the newest schema, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "soty.sqlite3"
    engine = make_engine(f"sqlite:///{path}")
    migrate.upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """The real course, loaded once for the whole suite."""
    return Library(Settings(home=tmp_path_factory.mktemp("course")))


@pytest.fixture
def chosen() -> dict[str, Any]:
    """Settings that a test changes: override this fixture or parametrise it."""
    return {}


@pytest.fixture
def site(tmp_path: Path, migrated: Path, library: Library, chosen: dict[str, Any]) -> Iterator[Site]:
    """The application, nobody in it yet."""
    settings = Settings(home=tmp_path / "home", testing=True, **chosen)
    (settings.home / "db").mkdir(parents=True)
    shutil.copy(migrated, settings.home / "db" / "soty.sqlite3")
    database = Database(make_engine(settings.database))
    cases = use_cases(settings, database, library)
    yield Site(create_app(settings, cases), settings, cases)
    cases.sandboxd.close()
    database.dispose()


@pytest.fixture
def anna(site: Site) -> User:
    return site.person("anna")


@pytest.fixture
def browser(site: Site, anna: User) -> Browser:
    """Her browser, in English."""
    browser = site.signed_in(anna)
    browser.client.set_cookie("lang", "en", domain="127.0.0.1")
    return browser
