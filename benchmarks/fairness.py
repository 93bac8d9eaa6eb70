"""Must a single photo wait for somebody's long batch?

    python -m benchmarks.fairness [--json FILE] [--plot FILE] [--quick]

While a batch of twelve is worked on, one photo comes late, at several moments of the batch's
present photo. Its wait, that is what it takes longer than alone, is given as a multiple of one
photo's service time, measured just before. Through the API, and at the page in two real browsers.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from playwright.sync_api import sync_playwright

from benchmarks.serving import (
    alone,
    at_the_page,
    connect,
    files,
    finished,
    idle,
    portraits,
    press,
    serving,
)
from benchmarks.tables import Row, Table, arguments, show
from tests.server import Server
from tests.web.conftest import launch

OFFSETS = (0.0, 0.25, 0.5, 0.75)  # of a service time, after one of the batch's photos was done
GOAL = 2.0

Trial = Callable[[float], tuple[float, float]]
"""Offset → (service time of the single photo alone, its time beside the batch), seconds."""


def through_the_api(server: Server, photos: list[Path]) -> Trial:
    owner, late = connect(server), connect(server)

    def trial(offset: float) -> tuple[float, float]:
        idle(late)
        service, _ = alone(late, photos[0])
        job = owner.submit(files(photos), api_name="/enhance_batch")
        next(iter(job))
        time.sleep(offset * service)
        taken, _ = alone(late, photos[0])
        job.cancel()
        return service, taken

    return trial


def at_two_pages(
    server: Server, photos: list[Path], offsets: tuple[float, ...], repeat: int
) -> list[Row]:
    client = connect(server)
    with sync_playwright() as playwright, launch(playwright) as browser:
        owner, late = browser.new_context().new_page(), browser.new_context().new_page()

        def single() -> float:
            start = time.perf_counter()
            late.click("#enhance")
            finished(late, 1)
            return time.perf_counter() - start

        def trial(offset: float) -> tuple[float, float]:
            idle(client)
            at_the_page(late, server, photos[:1])
            service = single()
            at_the_page(late, server, photos[:1])
            at_the_page(owner, server, photos)
            press(owner, until=1)
            time.sleep(offset * service)
            taken = single()
            owner.goto("about:blank")  # ends its work, if any is left
            return service, taken

        return collect(trial, offsets, repeat)


def collect(
    trial: Trial, offsets: tuple[float, ...], repeat: int, beside: str = "the batch"
) -> list[Row]:
    """A row per offset. beside: what the single photo came in beside, for the table."""
    rows = []
    for offset in offsets:
        pairs = [trial(offset) for _ in range(repeat)]
        waits = [(taken - service) / service for service, taken in pairs]
        rows.append(
            {
                "offset ÷ service": offset,
                "alone, s": round(median(service for service, _ in pairs), 2),
                f"beside {beside}, s": round(median(taken for _, taken in pairs), 2),
                "wait ÷ service": round(median(waits), 2),
                "longest": round(max(waits), 2),
            }
        )
    return rows


def measure(quick: bool) -> list[Table]:
    offsets, repeat, count = (OFFSETS[:1], 1, 5) if quick else (OFFSETS, 3, 12)
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        photos = portraits(Path(folder), count, tiny=quick)
        measured = {
            "through the API": collect(through_the_api(server, photos), offsets, repeat),
            "at the page": at_two_pages(server, photos, offsets, repeat),
        }
    return [
        Table(
            f"A single photo beside a batch of {count}, {where}",
            rows,
            "offset ÷ service",
            ("wait ÷ service", "longest"),
            {"wait ÷ service": GOAL},
        )
        for where, rows in measured.items()
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
