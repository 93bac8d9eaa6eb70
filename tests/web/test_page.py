"""The page in a real browser, in front of a real server with the bundled weights."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.web.hands import (
    HEADLINE,
    PICTURES,
    PORTRAIT,
    PRINT,
    SMALL,
    THUMBNAILS,
    choose,
    drop,
    finish,
    open_settings,
    states,
    unfolded,
)


def test_the_bold_font_has_letters(page: Page) -> None:
    """Gradio's semibold one has hardly any, so that each would be drawn in another font."""
    own, fallback = page.evaluate(
        """async () => {
          await document.fonts.load("600 20px 'Source Sans Pro'", "i");
          const paper = document.createElement("canvas").getContext("2d");
          return ["'Source Sans Pro', monospace", "monospace"].map((family) => {
            paper.font = `600 20px ${family}`;
            return paper.measureText("iii").width;
          });
        }"""
    )
    assert own < fallback


def test_a_photo_that_is_cut_off_says_so_below_its_picture(page: Page, tmp_path: Path) -> None:
    cut, text = tmp_path / "cut.jpg", tmp_path / "text.jpg"
    cut.write_bytes(SMALL.read_bytes()[:6000])
    text.write_text("no photo")
    drop(page, cut, text)
    caption = page.locator("#viewer .caption")
    page.locator("#gallery button.thumbnail-lg").nth(1).click()
    expect(caption).to_contain_text("not a photo that can be read")
    expect(page.locator("#viewer .failed")).to_be_empty()
    page.click("#enhance")
    expect(page.locator(HEADLINE)).to_contain_text("1 of 2 photos enhanced, 1 failed")
    page.locator("#gallery button.thumbnail-lg").nth(0).click()
    expect(caption).to_contain_text("The file is cut off")


def test_photos_appear_one_by_one_and_a_corrupt_one_harms_none(page: Page, corrupt: Path) -> None:
    copy = corrupt.with_name("old_print.jpg")  # two uploads of the same name
    copy.write_bytes(SMALL.read_bytes())
    drop(page, PORTRAIT, PRINT, corrupt, SMALL, copy)
    page.click("#enhance")
    expect(page.locator(THUMBNAILS).first).to_be_visible()
    assert states(page).count("done") < 4, "the first photo was shown only when all were done"
    headline = page.locator(HEADLINE)
    expect(headline).to_contain_text("4 of 5 photos enhanced, 1 failed.")
    assert states(page) == ["done", "done", "failed", "done", "done"]
    page.locator("#gallery button.thumbnail-lg").nth(2).click()
    expect(page.locator("#viewer .caption")).to_contain_text("“corrupt.jpg” is damaged")
    page.locator("#details > button").click()
    expect(page.locator("#table")).to_contain_text("“corrupt.jpg” is damaged")
    expect(page.locator("#notes")).to_contain_text("restored by the bundled model")

    with page.expect_download() as zipped:
        page.click("#zip")
    archive = zipfile.ZipFile(zipped.value.path())
    assert archive.namelist() == [
        "blurred_portrait_enhanced.jpg",
        "old_print_enhanced.jpg",
        "small_portrait_enhanced.jpg",
        "old_print_enhanced_2.jpg",
        "report.json",
        "report.csv",
    ]
    assert archive.testzip() is None
    report = json.loads(archive.read("report.json"))
    assert [photo["ok"] for photo in report] == [True, True, False, True, True]
    with Image.open(io.BytesIO(archive.read("old_print_enhanced.jpg"))) as image:
        assert image.size == (512, 600)

    page.locator("#gallery button.thumbnail-lg").nth(3).click()
    expect(page.locator("#viewer .caption")).to_contain_text("1 face · 170 × 200")
    with page.expect_download() as single:
        page.click("#viewer a.download")
    assert single.value.suggested_filename == "small_portrait_enhanced.jpg"
    with Image.open(single.value.path()) as image:
        assert image.size == (340, 400)


def test_the_first_result_is_in_the_viewer_before_the_rest_is_done(page: Page) -> None:
    drop(page, PORTRAIT, PRINT, SMALL)
    page.click("#enhance")
    expect(page.locator("#viewer img:not(.marks)")).to_have_count(2)
    expect(page.locator("#viewer .name")).to_have_text("blurred_portrait.jpg")
    assert "done" not in states(page)[1:]
    expect(page.locator(HEADLINE)).to_contain_text("3 of 3 photos enhanced")


def test_photos_that_are_done_at_once_are_all_shown(page: Page, tmp_path: Path) -> None:
    """The page is updated less often than they are finished, and once more at the end."""
    photos = [tmp_path / f"{number}.png" for number in range(30)]
    for photo in photos:
        Image.new("RGB", (40, 30), "gray").save(photo)
    drop(page, *photos)
    choose(page, "Quick look")
    page.click("#enhance")
    finish(page, 30)
    expect(page.locator(THUMBNAILS)).to_have_count(30)
    expect(page.locator("#zip")).to_be_enabled()
    expect(page.locator("#enhance")).to_be_visible()


def test_stop_keeps_what_is_finished_and_the_rest_can_go_on(page: Page, tmp_path: Path) -> None:
    again = tmp_path / SMALL.name
    again.write_bytes(SMALL.read_bytes())
    drop(page, SMALL, PORTRAIT, PRINT, again)
    page.click("#enhance")
    expect(page.locator(THUMBNAILS)).to_have_count(1)
    page.click("#stop")
    expect(page.locator(HEADLINE)).to_contain_text("stopped")
    expect(page.locator("#enhance")).to_have_text("Enhance")
    assert states(page)[0] == "done" and states(page)[-1] == "stopped"
    expect(page.locator(PICTURES)).to_have_count(4)
    page.click("#enhance")
    finish(page, 4)
    expect(page.locator("#enhance")).to_have_text("Enhance again")
    with page.expect_download() as zipped:
        page.click("#zip")
    names = zipfile.ZipFile(zipped.value.path()).namelist()
    assert len(set(names)) == 6 and "small_portrait_enhanced_2.jpg" in names


def test_a_sample_can_be_tried(page: Page) -> None:
    page.locator("#samples button").first.click()
    expect(page.locator("#gallery")).to_contain_text("blurred_portrait")
    page.click("#enhance")
    finish(page, 1)


def test_an_empty_page_asks_for_photos_and_nothing_else(page: Page) -> None:
    expect(page.locator("#files")).to_be_visible()
    for later in ("#gallery", "#enhance", "#settings", "#results"):
        expect(page.locator(later)).to_be_hidden()
    drop(page, SMALL)
    for now in ("#gallery", "#enhance", "#settings"):
        expect(page.locator(now)).to_be_visible()
    expect(page.locator("#preset")).to_be_hidden()  # until it is wanted
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#samples")).to_be_hidden()


def shown(page: Page, *photos: Path, state: str = "") -> None:
    """Wait until the gallery has these photos, in this state."""
    pictures = page.locator(PICTURES)
    expect(pictures).to_have_count(len(photos))
    for number, photo in enumerate(photos):
        said = re.compile(rf"{state}[^\n]*\n?{re.escape(photo.name)}$")
        expect(pictures.nth(number)).to_have_attribute("alt", said)


def test_photos_are_added_and_taken_out_of_the_gallery(page: Page) -> None:
    drop(page, SMALL, PORTRAIT, PRINT)
    expect(page.locator(PICTURES)).to_have_count(3)
    expect(page.locator("#files")).not_to_contain_text("jpg")  # listed once, as pictures
    remove = page.locator("#gallery .delete-button")
    remove.nth(1).click()
    expect(page.locator(PICTURES)).to_have_count(2)
    remove.nth(1).focus()
    page.keyboard.press("Enter")
    shown(page, SMALL)
    drop(page, SMALL, PRINT)  # one of them again
    shown(page, SMALL, PRINT)
    page.wait_for_function(
        "[...document.querySelectorAll('#gallery img')].every((i) => i.naturalWidth > 100)"
    )
    page.click("#enhance")
    expect(remove).to_have_count(0)
    finish(page, 2)
    shown(page, SMALL, PRINT, state="done")

    drop(page, PORTRAIT)
    expect(page.locator(PICTURES)).to_have_count(3)
    expect(page.locator("#estimate")).to_contain_text("1 photo:")
    remove.nth(0).click()
    expect(page.locator(PICTURES)).to_have_count(2)
    shown(page, PRINT, PORTRAIT)
    page.click("#enhance")
    shown(page, PRINT, PORTRAIT, state="done")
    with page.expect_download() as zipped:
        page.click("#zip")
    archive = zipfile.ZipFile(zipped.value.path()).namelist()
    assert archive[:2] == ["old_print_enhanced.jpg", "blurred_portrait_enhanced.jpg"]
    for _ in range(2):
        remove.nth(0).click()
    expect(page.locator("#gallery")).to_be_hidden()
    expect(page.locator("#samples")).to_be_visible()


def test_a_name_is_never_markup(page: Page, tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=document.title='owned'>.jpg"
    hostile.write_bytes(b"no photo")
    drop(page, hostile)
    page.click("#enhance")
    expect(page.locator(HEADLINE)).to_contain_text("0 of 1 photos enhanced, 1 failed.")
    assert states(page) == ["failed"]
    assert page.title() != "owned"


def test_a_model_that_is_not_there_is_offered_with_its_licence(page: Page) -> None:
    drop(page, SMALL)
    unfolded(page)
    expect(page.locator("#models")).to_contain_text("gfpgan-1.4 draws a whole face there")
    expect(page.locator("#fetch")).to_have_text("Download (349 MB)")
    licence = page.locator("#licence").get_by_text("Apache-2.0")
    expect(licence).to_be_hidden()
    page.click("#licence > button")
    expect(licence).to_be_visible()
    open_settings(page, "Faces").get_by_label("Faces", exact=True).click()
    page.get_by_role("option", name="Bundled (fast)").click()
    expect(page.locator("#fetch")).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    drop(page, SMALL)
    page.click("#enhance")
    expect(page.locator(HEADLINE)).to_contain_text("photos enhanced")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
