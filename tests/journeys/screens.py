"""Pictures of a page in light and dark, phone to wide, for people to look at: `var/screens/`."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.product import TOP

FOLDER = TOP / "var" / "screens"
SIZES = {"phone": (360, 780), "wide": (1440, 900)}


def screenshots(page: Page, name: str) -> None:
    """Take the page as it is now in two sizes and two themes; the page is left as it was."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(animations="disabled", path=FOLDER / f"{name}-{size}-{theme}.png")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"{name} scrolls sideways by {overflow} px at {width} px"
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
