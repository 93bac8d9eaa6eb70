"""What do page, queue and transport add to the model's time, and how long does a start take?

    python -m benchmarks.overhead [--json FILE] [--plot FILE] [--quick]

A single photo: what the client sees less the sum of all stages in the photo's report, by plain
requests over one connection and through Gradio's Python client, whose own time counts too. A batch:
what each photo takes on average less the stages of the model's thread alone; decoding, pasting and
encoding, queue and transport should hide behind it. The page's model time is that of the client's
batch of the same photos, sent just before and after. Cold start: from the launch of `python app.py`
until it answers, until its models are loaded, and until the first photo, sent at once, is there.
"""

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from gradio_client import Client
from playwright.sync_api import sync_playwright

from benchmarks.serving import (
    alone,
    at_the_page,
    connect,
    files,
    finished,
    idle,
    over_http,
    portraits,
    serving,
)
from benchmarks.tables import Row, Table, arguments, show
from tests.server import running
from tests.web.conftest import launch

MODEL = ("detect", "restore", "upscale")  # the stages of the model's thread


def batch(client: Client, photos: list[Path]) -> tuple[float, float]:
    """(seconds as seen, seconds of the model's thread) of a batch in one request, per photo."""
    reports: list[dict[str, Any]] = []
    start = time.perf_counter()
    job = client.submit(files(photos), api_name="/enhance_batch")
    for _, report in job:
        reports.append(report)
    job.result()
    seen = time.perf_counter() - start
    model = sum(report["seconds"].get(stage, 0) for report in reports for stage in MODEL)
    return seen / len(photos), model / len(photos)


def added(rounds: int, count: int, *, tiny: bool) -> list[Row]:
    """A row per way to send photos."""
    measured: dict[str, list[tuple[float, float]]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving() as server,
        sync_playwright() as playwright,
        launch(playwright) as browser,
        httpx.Client(base_url=server.url, timeout=600) as plain,
    ):
        client, page = connect(server), browser.new_page()
        photos = portraits(Path(folder), count, tiny=tiny)
        alone(client, photos[0])

        def at_page() -> float:
            idle(client)
            at_the_page(page, server, photos)
            start = time.perf_counter()
            page.click("#enhance")
            finished(page, count)
            return (time.perf_counter() - start) / count

        at_page()
        for _ in range(rounds):
            for photo in photos[:3]:
                for way, (seen, report) in {
                    "HTTP, one photo": over_http(plain, photo),
                    "Python client, one photo": alone(client, photo),
                }.items():
                    stages = sum(report["seconds"].values())
                    measured.setdefault(way, []).append((seen, stages))
            before, seen, after = batch(client, photos), at_page(), batch(client, photos)
            measured.setdefault(f"Python client, batch of {count}", []).extend((before, after))
            model = (before[1] + after[1]) / 2
            measured.setdefault(f"page, batch of {count}", []).append((seen, model))
    return [
        {
            "way": way,
            "seen, s a photo": round(median(seen for seen, _ in pairs), 3),
            "model, s a photo": round(median(model for _, model in pairs), 3),
            "added, ms": round(median(seen - model for seen, model in pairs) * 1000),
            "added, %": round(median(seen / model - 1 for seen, model in pairs) * 100, 1),
        }
        for way, pairs in measured.items()
    ]


def cold_starts(rounds: int, *, tiny: bool) -> list[Row]:
    """Seconds from the launch to three moments, medians."""
    moments: dict[str, list[float]] = {"listening": [], "models loaded": [], "first result": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            (photo,) = portraits(Path(folder), 1, tiny=tiny)
            start = time.perf_counter()
            with running(Path(folder)) as server:
                moments["listening"].append(time.perf_counter() - start)
                client = connect(server)
                job = client.submit(*files([photo]), api_name="/enhance")
                while not client.predict(api_name="/health")["ready"]:
                    time.sleep(0.05)
                moments["models loaded"].append(time.perf_counter() - start)
                job.result()
                moments["first result"].append(time.perf_counter() - start)
    return [
        {"from the launch to": moment, "s": round(median(times), 2)}
        for moment, times in moments.items()
    ]


def measure(quick: bool) -> list[Table]:
    rounds, count = (1, 2) if quick else (3, 10)
    return [
        Table(
            "What is added to the model's time",
            added(rounds, count, tiny=quick),
            "way",
            ("seen, s a photo", "model, s a photo"),
        ),
        Table("Cold start", cold_starts(rounds, tiny=quick), "from the launch to", ("s",)),
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
