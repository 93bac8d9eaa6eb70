"""What axe-core, run in the page, finds in its moments: nothing serious or critical."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.node import node_modules
from tests.server import Server
from tests.web.hands import HEADLINE, PORTRAIT, SMALL, drop


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, server: Server, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme: Literal["light", "dark"] = request.param
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.locator("#limits")).not_to_have_text("")
        page.add_script_tag(path=node_modules() / "axe-core" / "axe.min.js")
        yield page


# Markup of Gradio's that cannot be changed from outside: the rule, and how its element begins.
ACCEPTED = (
    # The names say what the buttons do, though not in the words shown on them.
    ("label-content-name-mismatch", '<button class="upload-container'),
    ("label-content-name-mismatch", '<button class="thumbnail-item'),
    # The button that adds photos holds a hidden file input, which Tab reaches, too.
    ("nested-interactive", '<button class="icon-button'),
)


def findings(page: Page) -> list[str]:
    """Each with its rule, impact and the element."""
    found = page.evaluate("axe.run()")["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        if not any(rule == one["id"] and node["html"].startswith(at) for rule, at in ACCEPTED)
    ]


def test_nothing_serious_is_found(page: Page, corrupt: Path) -> None:
    assert findings(page) == []
    drop(page, SMALL, corrupt, PORTRAIT)
    page.click("#enhance")
    expect(page.locator("#stop")).to_be_visible()
    assert findings(page) == []
    expect(page.locator(HEADLINE)).to_contain_text("2 of 3 photos enhanced, 1 failed.")
    page.locator("#details > button").click()
    expect(page.locator("#table")).to_contain_text("corrupt.jpg")
    page.click("#viewer button.outlines")
    assert findings(page) == []
    for fold in page.locator("#settings button.label-wrap").all():
        fold.click()
    assert findings(page) == []
