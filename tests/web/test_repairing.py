"""What was repaired: shown in the viewer, changed with a brush, found anew."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.web.hands import PRINT, SMALL, choose, drop, finish


@pytest.fixture
def marks(page: Page) -> Locator:
    """The page with a repaired photo; its layer of marks."""
    drop(page, PRINT)
    choose(page, "Old photo")
    page.wait_for_url(re.compile("repair=on"))  # the settings are those of the preset
    page.click("#enhance")
    finish(page, 1)
    return page.locator("#viewer img.marks")


def repaired(page: Page) -> float:
    """The share of the photo that was repaired, by the report."""
    if page.locator("#json").is_hidden():
        page.locator("#details > button").click()
    with page.expect_download() as download:
        page.click("#json")
    (report,) = json.loads(Path(download.value.path()).read_text("utf-8"))
    return float(report["repaired"])


def draw(page: Page, *spots: tuple[float, float]) -> None:
    """Drag the mouse over the picture, from spot to spot in fractions of it."""
    page.locator("#viewer .stage").scroll_into_view_if_needed()
    box: Any = page.locator("#viewer img.after").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in spots]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()


def alpha(marks: Locator, x: float, y: float) -> int:
    """How opaque the layer of marks is at a point of the photo, 0 to 255."""
    read = """(image, [x, y]) => {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth, canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      return context.getImageData(x * canvas.width, y * canvas.height, 1, 1).data[3];
    }"""
    return int(marks.evaluate(read, [x, y]))


def test_what_was_repaired_is_a_layer(page: Page, marks: Locator) -> None:
    asked: list[str] = []

    def watch(request: Request) -> None:
        if "marks.png" in request.url:
            asked.append(request.url)

    page.on("request", watch)
    expect(page.locator("#viewer .tools")).to_be_hidden()
    assert not asked
    page.click("#viewer button.reveal")
    expect(marks).to_be_visible()
    expect(page.locator("#viewer .tools")).to_be_visible()
    page.wait_for_function("document.querySelector('#viewer img.marks').naturalWidth === 256")
    assert len(asked) == 1
    assert marks.bounding_box() == page.locator("#viewer img.after").bounding_box()
    page.locator("#viewer .stage").focus()
    page.keyboard.press("m")
    expect(marks).to_be_hidden()


def test_a_brush_adds_and_removes_marks(page: Page, marks: Locator) -> None:
    before = repaired(page)
    page.click("#viewer button.reveal")
    page.wait_for_function("document.querySelector('#viewer img.marks').naturalWidth")
    assert not alpha(marks, 0.3, 0.9)
    again = page.locator("#viewer button.repair")
    expect(again).to_be_disabled()
    page.click("#viewer button.paint")
    draw(page, (0.2, 0.9), (0.8, 0.9))
    draw(page, (0.2, 0.5))
    strokes = page.locator("#viewer .strokes polyline")
    expect(strokes).to_have_count(2)
    page.click("#viewer button.undo")
    expect(strokes).to_have_count(1)
    page.click("#viewer button.erase")
    draw(page, (0.6, 0.85), (0.6, 0.95))
    expect(page.locator("#viewer .divider")).to_have_attribute("aria-valuenow", "50")
    again.click()
    versions = page.locator("#viewer select").nth(1).locator("option")
    expect(versions).to_have_count(2)
    finish(page, 1)
    expect(strokes).to_have_count(0)
    page.wait_for_function("document.querySelector('#viewer img.marks').complete")
    assert alpha(marks, 0.3, 0.9)
    assert not alpha(marks, 0.6, 0.9)
    assert not alpha(marks, 0.2, 0.5)
    assert repaired(page) > before

    choose(page, "Old photo")
    page.click("#again")  # the marks are the photo's now
    expect(versions).to_have_count(3)
    finish(page, 1)
    page.wait_for_function("document.querySelector('#viewer img.marks').complete")
    assert alpha(marks, 0.3, 0.9)

    page.locator("#viewer input.sensitivity").fill("0")
    page.click("#viewer button.find")
    expect(versions).to_have_count(4)
    finish(page, 1)
    page.wait_for_function("document.querySelector('#viewer img.marks').complete")
    assert not alpha(marks, 0.3, 0.9)
    expect(page.locator("#viewer input.sensitivity")).to_have_value("0")


def test_two_fingers_zoom_while_the_brush_is_in_hand(page: Page, marks: Locator) -> None:
    page.click("#viewer button.reveal")
    page.click("#viewer button.paint")
    box: Any = page.locator("#viewer img.after").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *spots: tuple[float, float]) -> None:
        points = [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(spots)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (x - 30, y))
    touch("touchStart", (x - 30, y), (x + 30, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    expect(page.locator("#viewer .strokes polyline")).to_have_count(0)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    wider: Any = page.locator("#viewer img.after").bounding_box()
    assert wider["width"] > 1.5 * box["width"]
    touch("touchStart", (x, y))
    touch("touchMove", (x + 20, y))
    touch("touchEnd")
    expect(page.locator("#viewer .strokes polyline")).to_have_count(1)


def test_a_photo_that_needed_no_repair_can_be_marked_by_hand(page: Page) -> None:
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    assert repaired(page) == 0
    page.click("#viewer button.reveal")
    page.click("#viewer button.paint")
    draw(page, (0.2, 0.9), (0.8, 0.9))
    page.click("#viewer button.repair")
    expect(page.locator("#viewer select").nth(1).locator("option")).to_have_count(2)
    finish(page, 1)
    assert repaired(page) > 0
    expect(page.locator('#viewer [data-step="repair"]')).to_have_text("Damage repaired")
