"""Takes the docs' pictures of the page: `python -m scripts.screenshots`."""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts import DOCS
from tests.server import Server, running
from tests.web.conftest import launch
from tests.web.hands import GROUP, PORTRAIT, PRINT, SMALL, drop, finish


def main() -> None:
    """The page on a desktop with a finished batch, faces in the viewer, a phone."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as server,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        desktop(browser, server)
        phone(browser, server)


def desktop(browser: Browser, server: Server) -> None:
    """Two pictures: the finished batch, and the viewer with outlined faces."""
    page = open_page(browser, server, 1280, 1250, locale="en-US", color_scheme="light")
    drop(page, PORTRAIT, GROUP, PRINT, SMALL)
    page.click("#enhance")
    finish(page, 4)
    wait_for_pictures(page)
    page.screenshot(path=DOCS / "page.jpg", quality=85)
    page.locator("#gallery button.thumbnail-lg").nth(1).click()
    expect(page.locator("#viewer .name")).to_have_text(GROUP.name)
    page.click("#viewer button.outlines")
    wait_for_pictures(page)
    page.locator("#viewer").screenshot(path=DOCS / "faces.jpg", quality=85)


def phone(browser: Browser, server: Server) -> None:
    """The same page, 390 px wide, dark."""
    page = open_page(browser, server, 390, 844, locale="en-US", color_scheme="dark")
    drop(page, PORTRAIT, SMALL)
    page.click("#enhance")
    finish(page, 2)
    wait_for_pictures(page)
    page.locator("#status").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#gallery').scrollIntoView()")
    page.screenshot(path=DOCS / "phone.jpg", quality=85)


def open_page(browser: Browser, server: Server, width: int, height: int, **settings: str) -> Page:
    """The page in a window of this size."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        **settings,  # type: ignore[arg-type]
    )
    page = context.new_page()
    page.goto(server.url)
    page.wait_for_selector("#files")
    return page


def wait_for_pictures(page: Page) -> None:
    """Until all pictures in the page are loaded and drawn."""
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.wait_for_timeout(500)


if __name__ == "__main__":
    main()
