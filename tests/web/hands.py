"""What a person does at the page, for the browser tests."""

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.server import SAMPLES

PORTRAIT, PRINT, SMALL, GROUP = (
    SAMPLES / f"{name}.jpg" for name in ("blurred_portrait", "old_print", "small_portrait", "group")
)
PICTURES = "#gallery .grid-container img"
THUMBNAILS = f'{PICTURES}[alt^="✓"]'  # of photos that are done
HEADLINE = "#status .headline"


def drop(page: Page, *photos: Path) -> None:
    """Give the page photos and wait until it has them."""
    page.set_input_files("#files input[type=file]", [str(photo) for photo in photos])
    expect(page.locator(PICTURES).first).to_be_visible()
    expect(page.locator("#estimate")).not_to_have_text("")


def copies(folder: Path, count: int, photo: Path = SMALL) -> list[Path]:
    """The same photo under several names."""
    paths = [folder / f"{number}.jpg" for number in range(count)]
    for path in paths:
        path.write_bytes(photo.read_bytes())
    return paths


def states(page: Page) -> list[str]:
    """The state of each photo of the batch."""
    captions = [picture.get_attribute("alt") for picture in page.locator(PICTURES).all()]
    return [(caption or "").partition("\n")[0].partition(" ")[2] for caption in captions]


def finish(page: Page, count: int) -> None:
    """Wait until so many photos are enhanced, all of the batch."""
    expect(page.locator(HEADLINE)).to_have_text(f"{count} of {count} photos enhanced.")


def open_settings(page: Page, group: str) -> Locator:
    """Unfold a group of the settings."""
    settings = unfolded(page)
    settings.locator("button.label-wrap", has_text=group).click()
    page.wait_for_timeout(500)  # Gradio draws it twice, and forgets what is typed in between
    return settings


def unfolded(page: Page) -> Locator:
    """The settings, which are closed at first."""
    settings = page.locator("#settings")
    if not settings.locator("#preset").is_visible():
        settings.locator("#choices > button").click()
    return settings


def choose(page: Page, preset: str) -> None:
    """Pick a preset by the beginning of its label."""
    unfolded(page).locator("#preset label").filter(has_text=preset).click()
