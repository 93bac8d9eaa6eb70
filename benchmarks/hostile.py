"""Can one client spoil it for another?

    python -m benchmarks.hostile [--minutes 5] [--json FILE] [--plot FILE] [--quick]

One client floods a server that has small limits, in one way after the other. Another sends one
photo after the other meanwhile: how long each takes, in multiples of its usual time, and whether
all of its results are still there at the end. Both come through a proxy, as their addresses show.
"""

import itertools
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.tables import Row, Table, arguments, show
from tests.server import SAMPLES, Server, running

GOAL = 2.0
OPTIONS = {"restorer": "none", "background": "compact", "size": "2x"}
LIMITS = {
    "ENHANCE_TRUSTED_PROXY": "1",
    "ENHANCE_MAX_WAITING": "16",
    "ENHANCE_MAX_DISK_BYTES": "1000000000",  # so that the results fit into a share of it
}

_THREADS = 4  # of the flood
_USUAL = 3  # photos whose median is the usual time


class Visitor:
    """A client with an address, and what it has seen."""

    def __init__(self, server: Server, address: str, sample: Path) -> None:
        """sample: the photo that it sends again and again."""
        self.sample = sample
        self.http = httpx.Client(
            base_url=server.url, headers={"X-Forwarded-For": address}, timeout=120
        )
        self.statuses: Counter[int] = Counter()
        self.results: dict[str, bytes] = {}
        self.lost = 0

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """One request."""
        answer = self.http.request(method, path, **content)
        self.statuses[answer.status_code] += 1
        return answer

    def upload(self, name: str, data: bytes) -> httpx.Response:
        """Upload one file."""
        return self.send("POST", "/gradio_api/upload", files={"files": (name, data)})

    def call(self, endpoint: str, **data: Any) -> httpx.Response:
        """Ask for the work."""
        return self.send("POST", f"/gradio_api/call/v2/{endpoint}", json={**data, **OPTIONS})

    def photo(self) -> float:
        """Have a photo enhanced and fetch the result. Returns the seconds that it took."""
        start = time.perf_counter()
        try:
            (path,) = (
                self.upload(self.sample.name, self.sample.read_bytes()).raise_for_status().json()
            )
            event = self.call("enhance", photo=sent(path)).raise_for_status().json()["event_id"]
            stream = self.send("GET", f"/gradio_api/call/enhance/{event}").text
            data = stream.rpartition("data: ")[2].partition("\n")[0]
            result = json.loads(data)[0]["path"]
            self.results[result] = self._fetch(result)
        except (httpx.HTTPError, LookupError, TypeError, ValueError):
            self.lost += 1
        return time.perf_counter() - start

    def rest(self) -> None:
        """Wait until nobody's photos are waiting."""
        while self.http.get("/health").json()["waiting"]:
            time.sleep(1)

    def missing(self) -> int:
        """How many photos got no result, or have it no more."""
        return self.lost + sum(self._fetch(path) != data for path, data in self.results.items())

    def _fetch(self, path: str) -> bytes:
        return self.send("GET", f"/gradio_api/file={path}").content


def sent(path: str) -> dict[str, Any]:
    """An uploaded file, as the API takes it."""
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def floods(eve: Visitor, uploaded: str, batch: int) -> dict[str, Callable[[int], object]]:
    """What is done again and again, with a number that is different each time. batch: how many
    photos each request for a batch names."""

    def stream(number: int) -> None:
        with eve.http.stream("GET", f"/gradio_api/heartbeat/{number}", timeout=2) as listening:
            eve.statuses[listening.status_code] += 1
            with suppress(httpx.ReadTimeout):
                listening.read()

    photos = [sent(uploaded)] * batch
    return {
        "large uploads without a batch": lambda n: eve.upload("a.jpg", n.to_bytes(4) * 500_000),
        "small uploads without a batch": lambda n: eve.upload("b.jpg", n.to_bytes(4)),
        "batches, through the API": lambda n: eve.call("enhance_batch", photos=photos),
        "single photos, through the API": lambda n: eve.call("enhance", photo=photos[0]),
        "streams without an end": stream,
        "pictures of other people's photos": lambda n: eve.send("GET", f"/batches/{n}/photos/0"),
        "logins": lambda n: eve.send("POST", "/login", data={"username": "ann", "password": n}),
    }


def flooded(
    flood: Callable[[int], object], eve: Visitor, ann: Visitor, seconds: float
) -> tuple[list[float], Counter[int]]:
    """The times of one client's photos while another does `flood` in several threads, and how the
    flood was answered.

    The flood has a process of its own that only gets what the server leaves of the processor, as a
    stranger's machine would take nothing from it.
    """
    context = get_context("fork")
    over, answered = context.Event(), context.SimpleQueue()

    def flooding() -> None:
        os.nice(19)
        eve.statuses.clear()
        numbers = itertools.count()

        def work() -> None:
            while not over.is_set():
                with suppress(httpx.HTTPError):
                    flood(next(numbers))

        threads = [threading.Thread(target=work) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answered.put(dict(eve.statuses))

    process = context.Process(target=flooding)
    process.start()
    until = time.monotonic() + seconds
    times: list[float] = []
    while not times or time.monotonic() < until:
        times.append(ann.photo())
    over.set()
    statuses = Counter(answered.get())
    process.join()
    return times, statuses


def measured(server: Server, seconds: float, sample: Path, batch: int) -> list[Row]:
    """A row for each kind of flood, each of which lasts so many seconds."""
    ann, eve = Visitor(server, "10.0.0.1", sample), Visitor(server, "10.0.0.2", sample)
    ann.photo()  # the model is loaded
    usual = median(ann.photo() for _ in range(_USUAL))
    (uploaded,) = eve.upload(sample.name, sample.read_bytes()).json()
    rows = []
    for name, flood in floods(eve, uploaded, batch).items():
        times, statuses = flooded(flood, eve, ann, seconds)
        ann.rest()
        rows.append(
            {
                "flood": name,
                "requests": statuses.total(),
                "refused": sum(n for status, n in statuses.items() if status >= 400),
                "photos": len(times),
                "usual, s": round(usual, 2),
                "median, s": round(median(times), 2),
                "slowest, s": round(max(times), 2),
                "ratio": round(median(times) / usual, 2),
            }
        )
    for row in rows:
        row["lost"] = ann.missing()
    return rows


def main() -> None:
    """Run from the command line."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    wanted = parser.parse_args()
    seconds, photo, batch = 60 * wanted.minutes / 7, "group.jpg", 10
    if wanted.quick:
        seconds, photo, batch = 1, "small_portrait.jpg", 2
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **LIMITS) as server:
        rows = measured(server, seconds, SAMPLES / photo, batch)
    title = "One client's photos beside another's floods"
    show([Table(title, rows, "flood", ("ratio",), {"ratio": GOAL})], wanted)


if __name__ == "__main__":
    main()
