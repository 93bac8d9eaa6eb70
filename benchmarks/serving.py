"""The real server in its own process and its users: the Python client, and people at the page."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import Page

from benchmarks.photos import Damage, degrade, hopper
from tests.server import Server, running

_LOOK = 20  # ms between two looks at the page; by default the browser draws it anew for each look


@contextmanager
def serving() -> Iterator[Server]:
    """A server with nothing but the bundled weights, its models loaded."""
    rates = {"ENHANCE_MAX_UPLOADS_PER_MINUTE": "100000"}  # all clients have one address here
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **rates) as server:
        idle(connect(server))
        yield server


def connect(server: Server, **options: Any) -> Client:
    """One more client; what it receives goes when the server goes. options: further ones of it."""
    folder = server.files.parent / "received"
    return Client(server.url, verbose=False, download_files=folder, **options)


def idle(client: Client) -> None:
    """Wait until the models are loaded and nobody's photos are left."""
    while True:
        health = client.predict(api_name="/health")
        if health["ready"] and not health["waiting"]:
            return
        time.sleep(0.1)


def portraits(folder: Path, count: int, *, tiny: bool = False) -> list[Path]:
    """Blurred portraits of 512×600 with one face, each different by its noise.

    tiny: 32×37, so small that no face is restored.
    """
    damage = Damage(blur=2.0, down=16 if tiny else 2, noise=4.0, jpeg=90, restore_size=not tiny)
    paths = [folder / f"portrait_{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        Image.fromarray(degrade(hopper(), damage, seed=number)).save(path, quality=92)
    return paths


def files(photos: list[Path]) -> list[Any]:
    """What the client sends."""
    return [handle_file(str(photo)) for photo in photos]


def alone(client: Client, photo: Path) -> tuple[float, dict[str, Any]]:
    """(seconds, report) of one photo, from the call to the file on the client's disk."""
    start = time.perf_counter()
    _, report = client.predict(*files([photo]), api_name="/enhance")
    return time.perf_counter() - start, report


def over_http(browser: httpx.Client, photo: Path) -> tuple[float, dict[str, Any]]:
    """The same as `alone` by plain requests over one open connection.

    The Python client makes a TLS context anew for each of its requests, which takes longer than
    the requests. browser: its base URL is the server's.
    """
    start = time.perf_counter()
    with photo.open("rb") as file:
        (path,) = browser.post("/gradio_api/upload", files={"files": file}).json()
    data = {"photo": {"path": path, "meta": {"_type": "gradio.FileData"}}}
    event = browser.post("/gradio_api/call/v2/enhance", json=data).json()["event_id"]
    with browser.stream("GET", f"/gradio_api/call/v2/enhance/{event}") as events:
        *_, last = (line for line in events.iter_lines() if line.startswith("data:"))
    result, report = json.loads(last.removeprefix("data:"))
    assert browser.get(result["url"]).raise_for_status().content
    return time.perf_counter() - start, report


def plain(browser: httpx.Client, photo: Path) -> None:
    """Send one photo by plain HTTP, and read the enhanced file. browser: as for `over_http`."""
    with photo.open("rb") as file:
        assert browser.post("/v1/enhance", files={"photo": file}).raise_for_status().content


def at_the_page(page: Page, server: Server, photos: list[Path]) -> None:
    """Open the page anew and drop photos."""
    page.goto(server.url)
    page.set_input_files("#files input[type=file]", [str(photo) for photo in photos])
    page.wait_for_function("document.querySelector('#estimate')?.innerText.trim()")


def press(page: Page, until: int) -> float:
    """Press Enhance; seconds until so many pictures are in the gallery."""
    start = time.perf_counter()
    page.click("#enhance")
    page.wait_for_function(
        "count => document.querySelectorAll('#gallery img[alt^=✓]').length >= count",
        arg=until,
        polling=_LOOK,
    )
    return time.perf_counter() - start


def finished(page: Page, count: int) -> None:
    """Wait until all photos of a batch of `count` are enhanced."""
    page.wait_for_function(
        "text => document.querySelector('#status .headline')?.innerText === text",
        arg=f"{count} of {count} photos enhanced.",
        timeout=600_000,
        polling=_LOOK,
    )
