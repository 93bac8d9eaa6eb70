"""How soon does the page paint, and does what is on it stay where it is?

    python -m benchmarks.paint [--against TREE] [--json FILE] [--plot FILE] [--quick]

Chromium's own figures (PerformanceObserver): the first contentful paint of a browser that has never
seen the page, the median of several; and the layout shift, summed over opening the page, giving it
photos and watching a batch. Shifts within half a second of a person's input do not count, as in
Chromium's own score, nor does what a click on Enhance brings, however slow the machine. TREE:
another checkout, whose first paint is measured alternately.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.serving import connect, finished, idle, portraits
from benchmarks.tables import Row, Table, arguments, show
from tests.server import ROOT, Server, served
from tests.web.conftest import launch

WIDTHS = {1400: 900, 768: 1024, 390: 844}
GOAL = 0.05

OBSERVE = """
window.shifts = [];
new PerformanceObserver((list) => window.shifts.push(
  ...list.getEntries().filter((shift) => !shift.hadRecentInput).map((shift) => shift.value)
)).observe({ type: "layout-shift", buffered: true });
"""


def shift(page: Page) -> float:
    """The layout shift so far of a page that was opened with `OBSERVE`."""
    return float(page.evaluate("window.shifts.reduce((sum, each) => sum + each, 0)"))


def first_paint(browser: Browser, server: Server) -> float:
    """Milliseconds until the first text or picture."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(server.url)
        page.wait_for_selector("#files")
        return float(
            page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        )


def shifts(browser: Browser, server: Server, width: int, photos: list[Path]) -> Row:
    with browser.new_context(viewport={"width": width, "height": WIDTHS[width]}) as context:
        page = context.new_page()
        page.add_init_script(OBSERVE)
        page.goto(server.url)
        page.wait_for_function("document.querySelector('#limits')?.innerText.trim()")
        page.wait_for_timeout(500)
        opened = shift(page)
        page.set_input_files("#files input[type=file]", [str(photo) for photo in photos])
        page.wait_for_function("document.querySelector('#estimate')?.innerText.trim()")
        page.wait_for_timeout(500)
        given = shift(page)
        page.click("#enhance")
        page.wait_for_selector("#gallery img")
        page.wait_for_timeout(500)
        begun = shift(page)
        finished(page, len(photos))
        page.wait_for_timeout(500)
        watched = shift(page) - begun
        return {
            "width": width,
            "page opened": round(opened, 4),
            "photos given": round(given - opened, 4),
            "batch watched": round(watched, 4),
            "all": round(given + watched, 4),
        }


def measure(quick: bool, against: Path | None) -> list[Table]:
    trees = {"this": ROOT} | ({"the other": against} if against else {})
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright())))
        servers = {}
        for name, tree in trees.items():
            own = folder / name
            own.mkdir()
            paths = {
                "GRADIO_TEMP_DIR": str(own / "files"),
                "ENHANCE_WEIGHTS_DIR": str(own / "weights"),
            }
            servers[name] = stack.enter_context(served(tree, own, os.environ | paths))
            idle(connect(servers[name]))
        times: dict[str, list[float]] = {name: [] for name in trees}
        for _ in range(2 if quick else 11):
            for name, server in servers.items():
                times[name].append(first_paint(browser, server))
        photos = portraits(folder, 2 if quick else 4)
        moved = [
            shifts(browser, servers["this"], width, photos)
            for width in (list(WIDTHS)[:1] if quick else WIDTHS)
        ]
    painted: list[Row] = [
        {"tree": name, "first paint, ms": round(median(each[1:])), "the first time": round(each[0])}
        for name, each in times.items()
    ]
    return [
        Table("First contentful paint", painted, "tree", ("first paint, ms",)),
        Table("Layout shift", moved, "width", ("all",), {"all": GOAL}),
    ]


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument("--against", type=Path, metavar="TREE")
    wanted = parser.parse_args(argv)
    show(measure(wanted.quick, wanted.against), wanted)


if __name__ == "__main__":
    main()
