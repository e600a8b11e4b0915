"""What people do at the workbench: type a file, wait until it is saved, hand it in, wait for the report."""

from __future__ import annotations

from playwright.sync_api import Page, expect

MINUTE = 60_000


def type_file(page: Page, path: str, text: str) -> None:
    """Replace a file as a person would: choose its tab, select all, type."""
    page.get_by_role("tab", name=path).click()
    content = page.locator(".cm-content")
    content.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def saved(page: Page) -> None:
    """Wait until the server has the files."""
    expect(page.locator("#save-state")).to_have_attribute("data-state", "saved", timeout=20_000)


def hand_in(page: Page) -> None:
    """Submit what is in the editor and say yes when asked; the new attempt is on the page afterwards."""
    before = page.locator("#attempt").get_attribute("data-id") if page.locator("#attempt").count() else ""
    page.locator("#submit").click()
    page.locator("#dialog-submit").get_by_role("button").first.click()
    expect(page.locator(f'#attempt[data-kind="submission"]:not([data-id="{before}"])')).to_be_visible()


def settled(page: Page, kind: str) -> str:
    """Wait for the report of the run or submission on the page; its verdict."""
    attempt = page.locator(f'#attempt[data-kind="{kind}"][data-settled="yes"]')
    attempt.wait_for(timeout=3 * MINUTE)
    return attempt.get_attribute("data-verdict") or ""
