"""The page with several models behind it: nothing about it is different."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.server import running
from tests.web.hands import GROUP, HEADLINE, PORTRAIT, SMALL, drop
from tests.web.test_looking import report


def test_the_same_page_on_two_replicas(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    pool = {"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "2"}
    with running(tmp_path, **pool) as server, browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        drop(page, PORTRAIT, SMALL, tmp_path / "broken.jpg", GROUP)
        page.click("#enhance")
        expect(page.locator(HEADLINE)).to_have_text("3 of 4 photos enhanced, 1 failed.")
        outcomes = report(page)
        page.click("#again")
        expect(page.locator(HEADLINE)).to_contain_text("Enhancing photo")
        expect(page.locator(HEADLINE)).to_have_text("3 of 4 photos enhanced, 1 failed.")
    assert [one["name"] for one in outcomes] == [
        PORTRAIT.name,
        SMALL.name,
        "broken.jpg",
        GROUP.name,
    ]
    assert [one["ok"] for one in outcomes] == [True, True, False, True]
