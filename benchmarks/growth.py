"""How do time, memory and traffic grow with the batch, the photo and the faces in it?

    python -m benchmarks.growth [--json FILE] [--plot FILE] [--quick]

Batch length: tiny photos without a face, which leave nothing but the machinery, through the API and
at the page in a real browser; every byte that the server sends passes a meter. Photo size: whole
photos without a face, enlarged ×2 by lanczos and by the compact network, from file to file. Faces:
photos of 1080×1440 through GFPGAN's network (random weights cost what the real ones do). Sizes and
faces run in a fresh process each. Memory is the peak above what the process held when idle.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from gradio_client import Client
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.memory import forget_peak, in_use, peak
from benchmarks.photos import Rgb, astronaut, group
from benchmarks.serving import at_the_page, connect, files, finished, idle, portraits, serving
from benchmarks.tables import Row, Table, arguments, show
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Result, Source
from tests.server import Server
from tests.web.conftest import launch

LENGTHS = (5, 20, 100, 500)
MEGAPIXELS = (0.25, 1, 4, 12, 24, 48)
CLEANED = (1, 4, 12)  # megapixels
FACES = (0, 1, 2, 5, 10, 20)
MEMORY_GOAL = 3000  # MB for 48 megapixels


@dataclass
class Meter:
    """A relay in front of a server. sent: bytes that the server sent through it."""

    url: str = ""
    sent: int = 0


@contextmanager
def metered(server: Server) -> Iterator[Meter]:
    """While the block lasts."""
    meter, ready = Meter(), threading.Event()
    target = urlsplit(server.url)
    stop: list[Any] = []

    async def pass_on(
        source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, count: bool
    ) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                meter.sent += len(data) if count else 0
                sink.write(data)
                await sink.drain()
        sink.close()

    async def relay(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(target.hostname, target.port)
        with suppress(asyncio.CancelledError):  # at the end, with connections still open
            await asyncio.gather(
                pass_on(source, requests, count=False), pass_on(answers, sink, count=True)
            )

    async def listen() -> None:
        done = asyncio.Event()
        listener = await asyncio.start_server(relay, "127.0.0.1", 0)
        meter.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        stop.extend((asyncio.get_running_loop(), done.set))
        ready.set()
        await done.wait()
        listener.close()

    thread = threading.Thread(target=asyncio.run, args=(listen(),))
    thread.start()
    ready.wait()
    try:
        yield meter
    finally:
        stop[0].call_soon_threadsafe(stop[1])
        thread.join()


def api_batch(client: Client, photos: list[Path]) -> float:
    """Seconds from one result to the next."""
    job = client.submit(files(photos), api_name="/enhance_batch")
    arrivals = [time.perf_counter() for _ in job]
    job.result()
    return (arrivals[-1] - arrivals[0]) / (len(arrivals) - 1)


def page_batch(page: Page, count: int) -> float:
    """Seconds per photo from the click to the last picture."""
    start = time.perf_counter()
    page.click("#enhance")
    finished(page, count)
    return (time.perf_counter() - start) / count


def by_length(lengths: tuple[int, ...], rounds: int) -> tuple[list[Row], list[Row]]:
    """Rows for the API and for the page."""
    measured: dict[tuple[str, int], list[tuple[float, float, float]]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving())
        meter = stack.enter_context(metered(server))
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright())))
        near = replace(server, url=meter.url)
        page, client = browser.new_page(), connect(near)
        photos = portraits(folder, max(lengths), tiny=True)
        resting = in_use(server.process.pid)
        for _ in range(rounds):
            for length in lengths:
                some = photos[:length]
                for way in ("API", "page"):
                    if way == "page":
                        at_the_page(page, near, some)
                    idle(client)
                    forget_peak(server.process.pid)
                    before = meter.sent
                    each = api_batch(client, some) if way == "API" else page_batch(page, length)
                    sent = (meter.sent - before) / length / 1000
                    most = peak(server.process.pid) - resting
                    measured.setdefault((way, length), []).append((each, most, sent))

    def rows(way: str) -> list[Row]:
        found = []
        for length in lengths:
            each, most, sent = zip(*measured[way, length], strict=True)
            found.append(
                {
                    "photos": length,
                    "ms a photo": round(median(each) * 1000, 1),
                    "peak above idle, MB": round(max(most)),
                    "sent, kB a photo": round(median(sent), 2),
                }
            )
        return found

    return rows("API"), rows("page")


def scenery(megapixels: float) -> Rgb:
    """A noisy photo of 4:3 without a face."""
    height = round((megapixels * 1e6 * 3 / 4) ** 0.5)
    size = (round(height * 4 / 3), height)
    plain = cv2.resize(astronaut()[300:, 200:], size, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(-6, 7, (512, 512, 3), np.int16)
    tiled = np.tile(noise, (-(-size[1] // 512), -(-size[0] // 512), 1))[: size[1], : size[0]]
    return np.asarray(np.clip(plain + tiled, 0, 255), np.uint8)


def _one_photo(
    path: Path, repeat: int, background: str, gfpgan: bool
) -> tuple[float, float, int, int]:
    """(seconds, peak megabytes above idle, bytes of the result, faces) of a photo at ×2.

    Runs in a process of its own.
    """
    limits = Limits()
    options = Options(size="2x", background=background, repair="off", tone="off")
    with ExitStack() as stack:
        if gfpgan:
            from benchmarks.reference import Setting  # imports GFPGAN's own package

            stack.enter_context(Setting())
        engine = stack.enter_context(
            closing(LocalEngine(lambda: load_enhancer(Setup(), limits), limits))
        )
        engine.load()
        resting = in_use()
        forget_peak()
        times = []
        for _ in range(repeat):
            start = time.perf_counter()
            (record,) = engine.run([Source.of(path)], options)
            times.append(time.perf_counter() - start)
        assert isinstance(record, Result), record
        return median(times), peak() - resting, len(record.data), len(record.report.faces)


def one_photo(
    rgb: Rgb, repeat: int, background: str = "lanczos", *, gfpgan: bool = False
) -> tuple[float, float, int, int]:
    """See `_one_photo`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        Image.fromarray(rgb).save(path, quality=92)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(_one_photo, path, repeat, background, gfpgan).result()


def by_size(sizes: tuple[float, ...], repeat: int, background: str) -> list[Row]:
    rows: list[Row] = []
    for size in sizes:
        seconds, most, sent, _ = one_photo(scenery(size), repeat, background)
        rows.append(
            {
                "megapixels": size,
                "s": round(seconds, 3),
                "ms a megapixel": round(seconds / size * 1000),
                "peak above idle, MB": round(most),
                "result, MB": round(sent / 1e6, 2),
            }
        )
    return rows


def by_faces(counts: tuple[int, ...], repeat: int, *, gfpgan: bool) -> list[Row]:
    rows: list[Row] = []
    for count in counts:
        seconds, most, _, found = one_photo(group(count), repeat, gfpgan=gfpgan)
        without = rows[0]["s"] if rows else seconds
        rows.append(
            {
                "faces": found,
                "s": round(seconds, 2),
                "s a face": round((seconds - without) / found, 2) if found else None,
                "peak above idle, MB": round(most),
            }
        )
    return rows


def measure(quick: bool) -> list[Table]:
    repeat = 1 if quick else 3
    through_api, at_page = by_length((2, 4) if quick else LENGTHS, 1 if quick else 2)
    return [
        Table(
            "Batch length, through the API",
            through_api,
            "photos",
            ("ms a photo", "peak above idle, MB"),
        ),
        Table(
            "Batch length, at the page", at_page, "photos", ("ms a photo", "peak above idle, MB")
        ),
        Table(
            "Photo size, ×2, lanczos",
            by_size(MEGAPIXELS[:1] if quick else MEGAPIXELS, repeat, "lanczos"),
            "megapixels",
            ("peak above idle, MB",),
            {"peak above idle, MB": MEMORY_GOAL},
        ),
        Table(
            "Photo size, ×2, compact",
            by_size(MEGAPIXELS[:1] if quick else CLEANED, 1, "compact"),
            "megapixels",
            ("peak above idle, MB",),
        ),
        Table(
            f"Faces, {'bundled' if quick else 'GFPGAN'}",
            by_faces(FACES[1:2] if quick else FACES, repeat, gfpgan=not quick),
            "faces",
            ("s",),
        ),
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
