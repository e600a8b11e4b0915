"""Debian's Chromium for every journey; absent, the suite is skipped aloud, or fails where CI is set."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest
from playwright.sync_api import expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
expect.set_options(timeout=20_000)  # as long as every other wait of a page here: a busy machine shows things late


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser nothing of this folder can run."""
    if CHROMIUM or os.environ.get("CI"):
        return
    for item in items:
        if "browser" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="Chromium is not installed: apt-get install chromium"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """How Chromium is started."""
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": list(QUIET)}
