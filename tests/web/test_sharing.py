"""Several people at one model, in real browsers."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.server import Server, running
from tests.web.hands import (
    GROUP,
    HEADLINE,
    PORTRAIT,
    SMALL,
    THUMBNAILS,
    copies,
    drop,
    finish,
    states,
)


def test_a_late_photo_waits_for_two_of_anothers_batch_at_most(
    page: Page, browser: Browser, server: Server, tmp_path: Path
) -> None:
    with browser.new_context() as context:
        late = context.new_page()
        late.goto(server.url)
        drop(late, SMALL)
        drop(page, *copies(tmp_path, 5, GROUP))
        page.click("#enhance")
        expect(page.locator(THUMBNAILS).first).to_be_visible()
        before = states(page).count("done")
        late.click("#enhance")
        expect(late.locator(HEADLINE)).to_contain_text(
            "1 ahead of you in the queue. Your next photo starts in"
        )
        finish(late, 1)
        after = states(page).count("done")
    # One more may have been finished, but not yet drawn, when the late one came.
    assert after - before <= 3, "the late photo waited for too many of the others"
    assert after < 5
    finish(page, 5)  # who was overtaken loses nothing


def test_a_closed_page_frees_the_model(browser: Browser, server: Server, page: Page) -> None:
    def results() -> int:
        return len(list(server.files.glob("results-*/**/blurred_portrait_enhanced*.jpg")))

    before = results()
    with browser.new_context() as context:
        leaving = context.new_page()
        leaving.goto(server.url)
        drop(leaving, *[PORTRAIT] * 8)
        leaving.click("#enhance")
        expect(leaving.locator(THUMBNAILS).first).to_be_visible()
    drop(page, SMALL)
    page.click("#enhance")
    finish(page, 1)
    left_behind = results() - before
    assert left_behind < 8
    page.click("#enhance")
    expect(page.locator(HEADLINE)).not_to_have_text("1 of 1 photos enhanced.")
    finish(page, 1)
    assert results() - before == left_behind, "the closed page's photos were worked on"


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(
        tmp_path_factory.mktemp("small"), ENHANCE_MAX_WAITING="1", ENHANCE_TRUSTED_PROXY="1"
    ) as one:
        yield one


def test_a_full_line_refuses_kindly(browser: Browser, small_server: Server, tmp_path: Path) -> None:
    slow = copies(tmp_path, 5, GROUP)
    (tmp_path / "quick").mkdir()
    quick = copies(tmp_path / "quick", 4, SMALL)
    with ExitStack() as stack:
        first, second, third = (
            stack.enter_context(
                browser.new_context(extra_http_headers={"X-Forwarded-For": f"10.0.0.{client}"})
            ).new_page()
            for client in range(3)
        )
        for one, dropped in ((first, slow), (second, quick), (third, [SMALL])):
            one.goto(small_server.url)
            drop(one, *dropped)  # one by one, as only one event may wait
        first.click("#enhance")
        expect(first.locator(THUMBNAILS).first).to_be_visible()
        second.click("#enhance")
        expect(second.locator(HEADLINE)).to_contain_text("of 4, about")
        refusal = third.get_by_text("The queue is full: 1 waiting.")
        accepted = third.locator(HEADLINE).filter(has_text=re.compile(r"\S"))
        third.click("#enhance")
        expect(refusal).to_be_visible()
        expect(third.locator("#enhance")).to_be_visible()
        first.click("#stop")
        expect(first.locator("#enhance")).to_be_visible()
        while not accepted.count():  # tries again, as it was told, until the place is free
            third.evaluate("document.querySelectorAll('.toast-close').forEach(one => one.click())")
            expect(refusal).to_have_count(0)
            third.click("#enhance")
            expect(refusal.or_(accepted).first).to_be_visible()
        finish(third, 1)
        finish(second, 4)  # the refusal harmed nobody
