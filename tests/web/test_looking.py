"""Looking at results: faces, versions, coming back."""

import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

from app import SESSIONS
from enhance.web.page.presets import PRESETS
from tests.server import Server
from tests.web.api_photos import QUICK, square
from tests.web.hands import (
    GROUP,
    HEADLINE,
    PICTURES,
    PRINT,
    SMALL,
    THUMBNAILS,
    choose,
    copies,
    drop,
    finish,
    open_settings,
)


def report(page: Page) -> list[dict[str, Any]]:
    if page.locator("#json").is_hidden():
        page.locator("#details > button").click()
    with page.expect_download() as download:
        page.click("#json")
    return list(json.loads(Path(download.value.path()).read_text("utf-8")))


def picture(page: Page) -> np.ndarray[Any, Any]:
    with page.expect_download() as download:
        page.click("#viewer a.download")
    with Image.open(io.BytesIO(Path(download.value.path()).read_bytes())) as image:
        return np.asarray(image).astype(int)


def test_a_face_can_be_taken_out_and_in_again(page: Page) -> None:
    drop(page, GROUP)
    page.click("#enhance")
    finish(page, 1)
    whole, faces = picture(page), report(page)[0]["faces"]
    assert len(faces) == 4
    page.click("#viewer button.outlines")
    outline = page.locator("#viewer .faces button").first
    outline.click()
    expect(outline).to_have_attribute("aria-pressed", "false")
    assert report(page)[0]["restored"] == [1, 2, 3]
    left, top, right, bottom = (round(2 * edge) for edge in faces[0]["box"])
    changed = np.abs(picture(page) - whole).max(axis=2)
    assert changed[top:bottom, left:right].mean() > 1
    x, y = (2 * sum(faces[1]["box"][axis::2]) / 2 for axis in (0, 1))
    assert changed[int(y) - 20 : int(y) + 20, int(x) - 20 : int(x) + 20].max() == 0
    outline.click()
    expect(outline).to_have_attribute("aria-pressed", "true")
    assert np.array_equal(picture(page), whole)


def test_half_restored_faces_are_another_version(page: Page) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    whole = picture(page)
    strength = open_settings(page, "Faces").get_by_label("number input for Strength")
    strength.fill("0.5")
    strength.press("Tab")
    page.wait_for_url(re.compile("weight=0.5"))
    page.click("#again")
    expect(page.locator("#viewer select").nth(1).locator("option:checked")).to_contain_text("50%")
    assert np.abs(picture(page) - whole).mean() > 0.3


def test_a_late_answer_does_not_undo_a_setting(page: Page) -> None:
    drop(page, SMALL)
    strength = open_settings(page, "Faces").get_by_label("number input for Strength")
    held: list[Route] = []

    def hold_first(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    page.route("**/run/predict*", hold_first)
    with page.expect_request("**/run/predict*"):  # for the new estimate
        page.set_input_files("#files input[type=file]", str(PRINT))
    strength.fill("0.5")
    strength.press("Tab")
    page.wait_for_timeout(500)
    with page.expect_response("**/run/predict*"):
        held[0].continue_()
    page.wait_for_timeout(500)
    page.wait_for_url(re.compile("weight=0.5"))


def test_steps_are_switched_for_a_photo_and_for_all(page: Page) -> None:
    drop(page, PRINT, SMALL, PRINT)
    page.click("#enhance")
    finish(page, 3)
    faces, repair = (page.locator(f'#viewer [data-step="{step}"]') for step in ("faces", "repair"))
    whole = picture(page)
    faces.click()
    expect(faces).to_have_text("Restore faces")
    assert np.abs(picture(page) - whole).max() > 8
    faces.click()
    expect(faces).to_have_text("1 face restored")
    assert np.array_equal(picture(page), whole)
    expect(repair).to_have_text("Damage repaired")
    repair.click()
    expect(repair).to_have_text("Repair damage")
    page.click("#viewer .all")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#stop")).to_be_hidden()
    assert [photo["repaired"] for photo in report(page)] == [0, 0, 0]
    page.click("#viewer button.next")
    expect(repair).to_have_text("Repair damage")
    expect(page.locator("#viewer select").first).to_be_hidden()  # it differed in nothing
    page.click("#viewer button.next")
    expect(page.locator("#viewer select").first).to_be_visible()


def test_two_settings_can_be_compared(page: Page) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    versions = page.locator("#viewer select")
    expect(versions.first).to_be_hidden()
    choose(page, "Quick look")
    page.click("#again")
    expect(versions.first).to_be_visible()
    finish(page, 1)
    expect(versions.nth(1).locator("option:checked")).to_contain_text("2: Quick look ·")
    expect(versions.nth(0).locator("option:checked")).to_contain_text("1: Automatic ·")
    assert report(page)[0]["upscale"] == 1
    versions.nth(1).select_option("0")
    expect(page.locator("#viewer a.download")).to_be_visible()
    expect(page.locator("#viewer .caption")).to_contain_text("340 × 400")
    assert picture(page).shape == (400, 340, 3), "the version that is shown is the one that counts"


def test_all_presets_are_tried_and_the_best_one_is_picked(page: Page) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    details = page.locator("#versions .grid-container img")
    expect(page.locator("#versions")).to_be_hidden()
    page.click("#try_all")
    expect(details.first).to_be_visible()
    expect(details).to_have_count(len(PRESETS))
    finish(page, 1)
    captions = [str(each.get_attribute("alt")) for each in details.all()]
    assert [caption.partition(" · ")[0] for caption in captions] == [
        f"{number}: {name}"
        for number, name in enumerate(
            ("Automatic", "Old photo", "Group photo", "Large print", "Quick look"), 1
        )
    ]
    # The same part of each, at its own 100 %: the face is 1.5 times as wide as its box.
    page.wait_for_function(
        "[...document.querySelectorAll('#versions img')].every((i) => i.naturalWidth)"
    )
    widths = details.evaluate_all("all => all.map((image) => image.naturalWidth)")
    assert widths[3] == 2 * widths[0] and abs(2 * widths[4] - widths[0]) <= 2
    assert report(page)[0]["upscale"] == 2, "none is picked but by a person"
    page.locator("#versions button.thumbnail-lg").nth(3).click()
    expect(page.locator("#viewer .caption")).to_contain_text("→ 680 × 800")
    assert report(page)[0]["upscale"] == 4


def test_two_tabs_look_at_one_batch_each_as_it_likes(page: Page, server: Server) -> None:
    drop(page, SMALL, PRINT)
    page.click("#enhance")
    finish(page, 2)
    choose(page, "Quick look")
    page.click("#again")
    expect(page.locator("#viewer .caption")).to_contain_text("→ 170 × 200")
    finish(page, 2)
    other = page.context.new_page()
    other.goto(server.url)
    other.click("#reopen")
    expect(other.locator("#viewer .caption")).to_contain_text("→ 170 × 200")
    other.locator("#gallery button.thumbnail-lg").nth(1).click()
    expect(other.locator("#viewer .name")).to_have_text("old_print.jpg")
    other.locator("#details > button").click()
    expect(other.locator("#table")).to_contain_text("old_print.jpg")

    page.locator("#viewer select").nth(1).select_option("0")
    expect(page.locator("#viewer .name")).to_have_text("small_portrait.jpg")
    expect(page.locator("#viewer .caption")).to_contain_text("→ 340 × 400")
    expect(page.locator("#table")).to_be_hidden()
    page.click("#viewer button.outlines")
    outline = page.locator("#viewer .faces button").first
    outline.click()
    expect(outline).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#viewer .name")).to_have_text("small_portrait.jpg")

    expect(other.locator("#viewer .name")).to_have_text("old_print.jpg")
    other.click("#viewer button.previous")
    expect(other.locator("#viewer .caption")).to_contain_text("→ 170 × 200")
    # Downloads have the version that was picked in their own tab.
    assert [photo["upscale"] for photo in report(page)] == [2, 2]
    assert [photo["upscale"] for photo in report(other)] == [1, 2]
    # A tab that does not know that a photo is gone still shows the one that is clicked.
    other.locator("#gallery .delete-button").first.click()
    expect(other.locator(PICTURES)).to_have_count(1)
    expect(page.locator(PICTURES)).to_have_count(2)
    page.locator("#gallery button.thumbnail-lg").nth(1).click()
    expect(page.locator("#viewer .name")).to_have_text("old_print.jpg")


def test_a_second_tab_that_is_closed_ends_nothing(
    page: Page, server: Server, tmp_path: Path
) -> None:
    other = page.context.new_page()
    drop(page, *copies(tmp_path, 3, GROUP))
    page.click("#enhance")
    expect(page.locator(THUMBNAILS).first).to_be_visible()
    other.goto(server.url)
    other.click("#reopen")
    expect(other.locator(THUMBNAILS).first).to_be_visible()
    other.close(run_before_unload=True)
    finish(page, 3)


def test_the_last_batch_is_offered_on_coming_back(page: Page, tmp_path: Path) -> None:
    expect(page.locator("#reopen")).to_be_hidden()
    drop(page, *copies(tmp_path, 2), GROUP)
    page.reload()
    page.click("#reopen")
    expect(page.locator(PICTURES)).to_have_count(3)
    page.click("#enhance")
    expect(page.locator(THUMBNAILS).first).to_be_visible()
    page.reload()
    page.click("#reopen")
    expect(page.locator(THUMBNAILS).first).to_be_visible()
    expect(page.locator(HEADLINE)).to_contain_text("stopped")
    page.click("#enhance")
    finish(page, 3)
    expect(page.locator(THUMBNAILS)).to_have_count(3)


def test_no_click_or_key_is_lost(page: Page, tmp_path: Path) -> None:
    drop(page, *copies(tmp_path, 6, square(tmp_path / "photo.jpg", QUICK)))
    page.click("#enhance")
    finish(page, 6)
    position = page.locator("#viewer .position")
    page.locator("#viewer .stage").focus()
    for _ in range(5):  # faster than the page is answered
        page.keyboard.press("ArrowRight")
    expect(position).to_have_text("6 / 6")
    for number in (1, 4, 2):
        page.locator("#gallery button.thumbnail-lg").nth(number).click()
    expect(position).to_have_text("3 / 6")


def test_photos_are_stepped_through_by_click_and_key(page: Page) -> None:
    drop(page, SMALL, PRINT)
    page.click("#enhance")
    finish(page, 2)
    name = page.locator("#viewer .name")
    expect(name).to_have_text("small_portrait.jpg")
    page.click("#viewer button.next")
    expect(name).to_have_text("old_print.jpg")
    page.locator("#viewer .stage").focus()
    page.keyboard.press("ArrowLeft")
    expect(name).to_have_text("small_portrait.jpg")
    page.locator("#gallery button.thumbnail-lg").nth(1).click()
    expect(name).to_have_text("old_print.jpg")


def test_a_page_lives_on_when_gradio_has_forgotten_its_session(page: Page, server: Server) -> None:
    drop(page, GROUP)
    page.click("#enhance")
    finish(page, 1)
    with httpx.Client(base_url=f"{server.url}/gradio_api/call") as client:
        for _ in range(SESSIONS + 1):  # each call is a session of its own
            asked = client.post("/health", json={"data": []}).raise_for_status()
            client.get(f"/health/{asked.json()['event_id']}").raise_for_status()
    page.click("#viewer button.outlines")
    outline = page.locator("#viewer .faces button").first
    outline.click()
    expect(outline).to_have_attribute("aria-pressed", "false")
    choose(page, "Quick look")
    page.click("#again")
    expect(page.locator("#viewer .caption")).to_contain_text("900 × 900 → 900 × 900")
    finish(page, 1)
