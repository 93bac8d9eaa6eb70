"""One server for all tests of the page and the API; one browser, a fresh context per test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, Request, expect, sync_playwright

from tests.server import SAMPLES, Server, running

expect.set_options(timeout=120_000)  # a slow machine is no failure

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as one:
        yield one


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium."""
    path = next(filter(None, map(shutil.which, _NAMES)))
    return playwright.chromium.launch(executable_path=path, args=_FLAGS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch(playwright) as one:
        yield one


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page, loaded. A request to anywhere but the server fails the test."""
    outside: list[str] = []

    def watch(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            outside.append(request.url)

    with browser.new_context(accept_downloads=True) as context:
        one = context.new_page()
        one.set_default_timeout(60_000)
        one.on("request", watch)
        one.goto(server.url)
        expect(one.locator("#limits")).not_to_have_text("")  # it has loaded
        yield one
    assert not outside


@pytest.fixture
def corrupt(tmp_path: Path) -> Path:
    path = tmp_path / "corrupt.jpg"
    path.write_bytes((SAMPLES / "group.jpg").read_bytes()[:600])
    return path
