"""Nothing jumps, by Chromium's own score of layout shifts, and an idle page draws nothing."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server import Server
from tests.web.hands import HEADLINE, PICTURES, PORTRAIT, SMALL, drop, finish

MOST = 0.05  # of Chromium's score, which below 0.1 is good
# Shifts within half a second of a person's input do not count, as in Chromium's own score.
OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(
  ...list.getEntries().filter((shift) => !shift.hadRecentInput).map((shift) => shift.value)
)).observe({ type: "layout-shift", buffered: true });
"""


def shift(page: Page) -> float:
    """The layout shift so far of a page that was opened with `OBSERVE`."""
    return float(page.evaluate("window.shifts.reduce((sum, each) => sum + each, 0)"))


@pytest.mark.parametrize("width", [1400, 390])
def test_the_layout_stays_where_it_is(browser: Browser, server: Server, width: int) -> None:
    phone = width < 400
    with browser.new_context(
        viewport={"width": width, "height": 844}, is_mobile=phone, has_touch=phone
    ) as context:
        page = context.new_page()
        page.add_init_script(OBSERVE)
        page.goto(server.url)
        expect(page.locator("#limits")).not_to_have_text("")
        drop(page, SMALL, PORTRAIT)
        expect(page.locator(PICTURES)).to_have_count(2)
        page.click("#enhance")
        expect(page.locator(HEADLINE)).not_to_have_text("")
        # What the drop and the click bring may push the rest.
        page.wait_for_timeout(500)
        begun = shift(page)
        finish(page, 2)
        expect(page.locator("#viewer .note.loading")).not_to_be_visible()
        assert shift(page) - begun < MOST


def test_a_page_that_nothing_happens_on_draws_nothing(page: Page, server: Server) -> None:
    page.add_init_script(
        "window.frames_drawn = 0;"
        "const frame = window.requestAnimationFrame;"
        "window.requestAnimationFrame = (draw) => { window.frames_drawn++; return frame(draw); };"
    )
    page.goto(server.url)
    expect(page.locator("#limits")).not_to_have_text("")
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    page.wait_for_timeout(5000)
    drawn = page.evaluate("window.frames_drawn")
    page.wait_for_timeout(1000)
    assert page.evaluate("window.frames_drawn") - drawn < 5  # Gradio alone draws 60 or 120
