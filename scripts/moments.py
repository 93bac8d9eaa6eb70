"""Takes pictures of the page's moments, to be looked at: `python -m scripts.moments FOLDER`.

The empty page, a batch that was dropped, is at work and is done, and the settings; on desktops, a
tablet and a phone, light and dark, in English and Chinese.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from scripts.screenshots import open_page, wait_for_pictures
from tests.server import SAMPLES, running
from tests.web.conftest import launch
from tests.web.hands import GROUP, PORTRAIT, PRINT, SMALL, THUMBNAILS, drop

WIDTHS = {2560: 1300, 1400: 900, 768: 1024, 390: 844}
SCHEMES = ("light", "dark")
LOCALES = ("en-US", "zh-CN")


def moments(page: Page, photos: list[Path], to: Path, name: str) -> None:
    """Five pictures, the last two of the whole page."""

    def take(moment: str, *, full: bool = False) -> None:
        page.evaluate("scrollTo(0, 0)")
        wait_for_pictures(page)
        page.screenshot(path=to / f"{name}_{moment}.jpg", quality=80, full_page=full)

    expect(page.locator("#limits")).not_to_have_text("")
    take("empty")
    drop(page, *photos)
    take("dropped")
    page.click("#enhance")
    expect(page.locator(THUMBNAILS).first).to_be_visible()
    take("working")
    expect(page.locator("#stop")).to_be_hidden()
    take("done", full=True)
    for fold in page.locator("#settings button.label-wrap").all():
        fold.click()
    page.locator("#details > button").click()
    take("settings", full=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    to: Path = parser.parse_args(argv).folder
    to.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as server,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        corrupt = Path(folder) / "a photo with quite a long name that was damaged.jpg"
        corrupt.write_bytes((SAMPLES / "group.jpg").read_bytes()[:600])
        photos = [SMALL, PRINT, corrupt, PORTRAIT, GROUP]
        for width, scheme, locale in itertools.product(WIDTHS, SCHEMES, LOCALES):
            page = open_page(
                browser, server, width, WIDTHS[width], locale=locale, color_scheme=scheme
            )
            moments(page, photos, to, f"{width}_{scheme}_{locale[:2]}")
            page.context.close()


if __name__ == "__main__":
    main()
