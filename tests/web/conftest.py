"""One server for all tests of the page and the API, and the browsers that look at it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

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


def _chromium() -> str:
    return next(filter(None, map(shutil.which, _NAMES)))


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium."""
    return playwright.chromium.launch(executable_path=_chromium(), args=_FLAGS)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as one:
        yield one


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """For visitors of all kinds, each in a new context."""
    with launch(playwright) as one:
        yield one


@pytest.fixture(scope="session")
def regular(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A visitor who comes again and again: what the browser has compiled of the page, which is half
    of the work, is kept on the disk, as in no context of `browser`."""
    profile = tmp_path_factory.mktemp("profile")
    with playwright.chromium.launch_persistent_context(
        profile, executable_path=_chromium(), args=_FLAGS
    ) as one:
        yield one


@pytest.fixture
def page(regular: BrowserContext, server: Server) -> Iterator[Page]:
    """The page, loaded, which remembers nothing. A request to anywhere but the server fails the
    test."""
    outside: list[str] = []

    def watch(request: Request) -> None:
        if not request.url.startswith((server.url, "data:", "blob:")):
            outside.append(request.url)

    one = regular.new_page()
    one.set_default_timeout(60_000)
    one.goto(f"{server.url}/health")
    one.evaluate("localStorage.clear()")
    one.on("request", watch)
    one.goto(server.url)
    expect(one.locator("#limits")).not_to_have_text("")  # it has loaded
    yield one
    for each in regular.pages[1:]:  # the first is the empty one of the start
        each.close()
    assert not outside


@pytest.fixture
def corrupt(tmp_path: Path) -> Path:
    path = tmp_path / "corrupt.jpg"
    path.write_bytes((SAMPLES / "group.jpg").read_bytes()[:600])
    return path
