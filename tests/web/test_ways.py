"""Ways in and out: paste, drop files and folders anywhere, take a comparison along."""

from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from tests.server import Server
from tests.web.hands import PICTURES, PORTRAIT, SMALL, copies, drop, finish, states


def drag(page: Page, *paths: Path) -> None:
    """Drop files or folders from outside on the middle of the page."""
    session = page.context.new_cdp_session(page)
    files = [str(path) for path in paths]
    for kind in ("dragEnter", "dragOver", "drop"):
        data: dict[str, Any] = {"items": [], "files": files, "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 700, "data": data})


def test_a_folder_is_dropped_anywhere(page: Page, tmp_path: Path) -> None:
    inner = tmp_path / "scans" / "album"
    inner.mkdir(parents=True)
    copies(inner, 2)
    (inner / "notes.txt").write_text("no photo")
    (tmp_path / "scans" / "cover.jpg").write_bytes(SMALL.read_bytes())
    drag(page, tmp_path / "scans")
    expect(page.locator(PICTURES)).to_have_count(3)
    drag(page, PORTRAIT)
    expect(page.locator(PICTURES)).to_have_count(4)
    expect(page.locator("#gallery")).not_to_contain_text("notes")


def test_what_cannot_be_read_is_named_and_the_rest_of_the_drop_comes_in(
    page: Page, tmp_path: Path
) -> None:
    # Chromium gives tests, which may run as root, no folder that it cannot read.
    page.evaluate(
        """() => {
          const open = DataTransferItem.prototype.webkitGetAsEntry;
          const refuse = (done, fail) => fail(new DOMException("", "NotReadableError"));
          DataTransferItem.prototype.webkitGetAsEntry = function () {
            const entry = open.call(this);
            if (entry.name === "locked") entry.createReader = () => ({ readEntries: refuse });
            return entry;
          };
        }"""
    )
    for name in ("open", "locked"):
        (tmp_path / name).mkdir()
        copies(tmp_path / name, 2)
    expect(page.locator("#unread")).to_be_hidden()
    (tmp_path / "scan.pdf").write_text("no photo")
    drag(page, tmp_path / "open", tmp_path / "locked", tmp_path / "scan.pdf")
    expect(page.locator(PICTURES)).to_have_count(2)
    expect(page.locator("#unread")).to_be_visible()
    expect(page.locator("#unread")).to_have_attribute("data-names", "locked, scan.pdf")
    drag(page, PORTRAIT)
    expect(page.locator(PICTURES)).to_have_count(3)
    expect(page.locator("#unread")).to_be_hidden()


def test_a_picture_of_another_page_is_dropped(page: Page) -> None:
    page.evaluate("() => { DataTransferItem.prototype.webkitGetAsEntry = () => null; }")
    drag(page, SMALL)
    expect(page.locator(PICTURES)).to_have_count(1)


def test_a_folder_is_chosen(page: Page, tmp_path: Path) -> None:
    inner = tmp_path / "scans" / "album"
    inner.mkdir(parents=True)
    copies(inner, 2)
    for name in ("notes.txt", "._0.jpg"):  # the second is what macOS leaves beside photos
        (tmp_path / "scans" / name).write_text("no photo")
    with page.expect_file_chooser() as chooser:
        page.click("#folder")
    chooser.value.set_files(tmp_path / "scans")
    expect(page.locator(PICTURES)).to_have_count(2)


def test_a_picture_is_pasted(page: Page) -> None:
    page.evaluate(
        """async (bytes) => {
          const pasted = new DataTransfer();
          pasted.items.add(new File([new Uint8Array(bytes)], "image.png", {type: "image/png"}));
          document.body.dispatchEvent(
            new ClipboardEvent("paste", {clipboardData: pasted, bubbles: true}));
        }""",
        list(SMALL.read_bytes()),
    )
    expect(page.locator("#gallery")).to_contain_text("image")
    page.click("#enhance")
    finish(page, 1)


def test_every_photo_is_in_the_gallery_from_the_start(page: Page, corrupt: Path) -> None:
    tiff = corrupt.with_name("scan.tif")
    Image.open(SMALL).save(tiff)
    drop(page, PORTRAIT, corrupt, tiff)
    page.click("#enhance")
    expect(page.locator(PICTURES)).to_have_count(3)
    expect(page.locator(PICTURES).last).to_have_attribute("alt", "○ waiting\nscan.tif")
    page.wait_for_function(
        "[...document.querySelectorAll('#gallery img')].every((i) => i.naturalWidth > 100)"
    )
    page.locator("#gallery button.thumbnail-lg").nth(2).click()
    expect(page.locator("#viewer .caption")).to_contain_text("waiting")
    expect(page.locator("#viewer .divider")).to_be_hidden()
    expect(page.locator("#viewer a.download")).to_be_hidden()
    expect(page.locator("#viewer a.download")).to_be_visible()  # once it is done
    expect(page.locator("#viewer .divider")).to_be_visible()
    assert states(page) == ["done", "failed", "done"]


def test_before_and_after_are_shared_as_one_picture(page: Page, server: Server) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    with page.expect_download() as download:
        page.click("#viewer button.share")
    assert download.value.suggested_filename == "small_portrait_before_after.jpg"
    with Image.open(download.value.path()) as image:
        assert image.size == (682, 400)  # twice 340 and a line
        pixels = np.asarray(image).astype(int)
    assert pixels[:, 340:342].min() > 225
    left, right = pixels[:, :340], pixels[:, 342:]
    assert 0.5 < np.abs(left - right).mean() < 20  # the same photo, the one on the right restored


def test_a_photo_is_found_by_its_batch_and_number_only(page: Page, server: Server) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    batch = (page.locator("#zip").get_attribute("href") or "").rpartition("/")[0]
    assert httpx.get(f"{server.url}/{batch}/photos/1").status_code == 200
    assert httpx.get(f"{server.url}/{batch}/photos/2").status_code == 404
    assert httpx.get(f"{server.url}/batches/{'0' * 32}/photos/1").status_code == 404


def test_the_keys_are_listed(page: Page) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    page.locator("#viewer .stage").focus()
    page.keyboard.press("?")
    expect(page.locator("#viewer .keys")).to_contain_text("Previous photo")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer .keys")).to_be_hidden()
    page.click("#viewer .help")
    expect(page.locator("#viewer .keys")).to_be_visible()
