"""A thousand photos through the running server: `python -m benchmarks.soak`, or `make soak`.

Clients of several kinds share the server, in an order drawn from a seed: those who send good
photos, bad ones among them, those who cancel, who hang up in the midst of it, and who never come
for their results. Promised is that every good photo of those who stay is enhanced, every bad one
refused with a sentence, and that in the last tenth the server has the memory, file descriptors
and threads that it had in the second tenth (the first warms it up), and its files are within their
limit.
"""

import argparse
import io
import itertools
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from gradio_client import Client, handle_file
from PIL import Image

from enhance.limits import Limits
from enhance.options import Options
from tests.server import SAMPLES, Server, running

TENTHS = 10
CLIENTS = 4
_PHOTO = {"enhance": "photo", "enhance_batch": "photos"}  # the parameter of each endpoint
OPTIONS = Options(restorer="none", background="lanczos", repair="off", tone="off", size="2x")

_KINDS = {"single": 4, "batch": 6, "cancels": 2, "hangs up": 2, "never comes": 1}  # with shares
_MEMORY_GROWTH = 1.05
_PAUSE = 0.5  # seconds between two samples
_PATIENCE = 120  # seconds that any answer may take
# Threads wait for work for some seconds before they end, connections likewise.
_SLACK = 8


@dataclass(frozen=True)
class Shot:
    """A photo that is sent. size: of a good one; None: it is damaged."""

    name: str
    data: bytes
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Visit:
    """What one client does."""

    kind: str
    shots: list[Shot]


def visits(photos: int, seed: int) -> Iterator[Visit]:
    """Visits with so many photos in all; the same seed gives the same."""
    dice = random.Random(seed)
    with Image.open(SAMPLES / "group.jpg") as image:
        image.load()
    serial = itertools.count()

    def shot() -> Shot:
        edge = dice.randrange(48, 160)
        left, top = dice.randrange(0, 400), dice.randrange(0, 400)
        picture = image.crop((left, top, left + edge, top + edge // 2 + 9))
        kind = dice.choice(("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"))
        file = io.BytesIO()
        picture.save(file, kind)
        bad = dice.random() < 0.15
        name = f"photo {next(serial)}.{kind.lower()}"
        return Shot(name, file.getvalue()[: 40 if bad else None], None if bad else picture.size)

    while photos:
        (kind,) = dice.choices(list(_KINDS), list(_KINDS.values()))
        count = 1 if kind == "single" else min(photos, dice.randrange(2, 9))
        photos -= count
        yield Visit(kind, [shot() for _ in range(count)])


# --- The clients ----------------------------------------------------------------------------------


class Clients:
    """The clients of one server, and what they saw. Safe from any thread."""

    def __init__(self, url: str, downloads: Path) -> None:
        self._url = url
        self._downloads = downloads
        self._http = httpx.Client(base_url=f"{url}/gradio_api", timeout=_PATIENCE)
        self._lock = threading.Lock()
        self.seen: Counter[str] = Counter()
        self.broken: list[str] = []

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def __call__(self, visit: Visit) -> None:
        """Make one visit."""
        try:
            if visit.kind == "cancels":
                self._cancel(visit)
                return
            endpoint = "enhance" if visit.kind == "single" else "enhance_batch"
            event = self._submit(endpoint, visit)
            if visit.kind == "never comes":
                self._count("abandoned", len(visit.shots))
                return
            answers = self._answers(endpoint, event)
            if visit.kind == "hangs up":
                next(answers, None)
                answers.close()
                self._count("abandoned", len(visit.shots))
            elif visit.kind == "single":
                self._judge_single(visit.shots[0], list(answers))
            else:
                self._judge_batch(visit.shots, list(answers))
        except Exception as error:
            self._break(f"{visit.kind} {[shot.name for shot in visit.shots]}: {error!r}")

    def waiting(self) -> int:
        """Photos that the server has not finished."""
        (health,) = next(self._answers("health", self._post("health", {})))[1]
        return int(health["waiting"])

    def _submit(self, endpoint: str, visit: Visit) -> str:
        files = [("files", (shot.name, shot.data)) for shot in visit.shots]
        answer = self._http.post("/upload", files=files).raise_for_status()
        photos = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in answer.json()]
        sent = photos[0] if visit.kind == "single" else photos
        return self._post(endpoint, {_PHOTO[endpoint]: sent, **asdict(OPTIONS)})

    def _post(self, endpoint: str, data: dict[str, Any]) -> str:
        answer = self._http.post(f"/call/v2/{endpoint}", json=data).raise_for_status()
        return str(answer.json()["event_id"])

    def _answers(self, endpoint: str, event: str) -> Generator[tuple[str, Any], None, None]:
        """The kind and the content of each message."""
        with self._http.stream("GET", f"/call/{endpoint}/{event}") as stream:
            kind = ""
            for line in stream.iter_lines():
                name, _, content = line.partition(": ")
                if name == "event":
                    kind = content
                elif name == "data" and kind != "heartbeat":
                    yield kind, json.loads(content)

    def _cancel(self, visit: Visit) -> None:
        folder = Path(tempfile.mkdtemp(dir=self._downloads))
        photos = []
        for shot in visit.shots:
            (folder / shot.name).write_bytes(shot.data)
            photos.append(handle_file(folder / shot.name))
        options = {"restorer": OPTIONS.restorer, "background": OPTIONS.background}
        # A session of its own: Gradio cancels all that a session has at an endpoint.
        client = Client(self._url, verbose=False, download_files=folder)
        job = client.submit(photos, api_name="/enhance_batch", **options)
        until = time.monotonic() + _PATIENCE
        while not job.outputs() and not job.done():
            if time.monotonic() > until:
                raise TimeoutError("no answer")
            time.sleep(0.01)
        job.cancel()
        client.close()
        self._count("cancelled", len(visit.shots))

    def _judge_single(self, shot: Shot, answers: list[tuple[str, Any]]) -> None:
        kind, content = answers[-1]
        if kind == "error":
            sentence = content.get("error", "") if isinstance(content, dict) else str(content)
            self._judge(shot, None, {"ok": False, "reason": str(sentence)})
        else:
            self._judge(shot, *content)

    def _judge_batch(self, shots: list[Shot], answers: list[tuple[str, Any]]) -> None:
        by_index = {content[1]["index"]: content for kind, content in answers if kind != "error"}
        for index, shot in enumerate(shots):
            file, report = by_index.get(index, (None, {"ok": False, "reason": f"{answers[-1]}"}))
            self._judge(shot, file, report)

    def _judge(self, shot: Shot, file: dict[str, Any] | None, report: dict[str, Any]) -> None:
        if shot.size is None:
            refused = not report["ok"] and f"“{shot.name}”" in report["reason"]
            self._count("bad, refused") if refused else self._break(f"{shot.name}: {report}")
            return
        if file is None:
            self._break(f"{shot.name} is good, but: {report['reason']}")
            return
        data = self._http.get(f"/file={file['path']}").raise_for_status().content
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            wanted = OPTIONS.output_size(shot.size)
            right = image.size == wanted
        self._count("good, enhanced") if right else self._break(f"{shot.name}: {image.size}")

    def _count(self, what: str, photos: int = 1) -> None:
        with self._lock:
            self.seen[what] += photos

    def _break(self, sentence: str) -> None:
        with self._lock:
            self.broken.append(sentence)


# --- The measurements -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    """What the server has at one moment. memory: bytes resident; files, disk: in its folder."""

    memory: int
    descriptors: int
    threads: int
    files: int
    disk: int


def sample(server: Server) -> Sample:
    """Look at the process from outside, through /proc."""
    process = Path(f"/proc/{server.process.pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line
    )
    inodes = {}
    for folder, _, names in os.walk(server.files):
        for name in names:
            try:
                entry = (Path(folder) / name).lstat()
            except FileNotFoundError:  # it is deleted meanwhile
                continue
            inodes[entry.st_ino] = entry.st_size
    return Sample(
        memory=int(status["VmRSS"].split()[0]) * 1024,
        descriptors=len(list((process / "fd").iterdir())),
        threads=int(status["Threads"]),
        files=len(inodes),
        disk=sum(inodes.values()),
    )


@contextmanager
def sampling(server: Server) -> Iterator[list[Sample]]:
    """A list that gets a sample every now and then."""
    samples: list[Sample] = []
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_PAUSE):
            samples.append(sample(server))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield samples
    finally:
        done.set()
        thread.join()


def typical(samples: list[Sample]) -> Sample:
    """The median of each figure."""
    return Sample(*(int(median(column)) for column in zip(*map(astuple, samples), strict=True)))


@dataclass(frozen=True)
class Tenth:
    """One tenth of the photos: the medians while it ran, and what there was at rest after it."""

    busy: Sample
    rest: Sample
    most_disk: int


def soak(
    server: Server, photos: int, seed: int, tell: Callable[[str], None] = lambda line: None
) -> tuple[Clients, list[Tenth]]:
    """Send the photos, tenth by tenth. The samples of a tenth end with the server at rest."""
    tenths = []
    with tempfile.TemporaryDirectory() as downloads:
        clients = Clients(server.url, Path(downloads))
        for number in range(TENTHS):
            with sampling(server) as samples, ThreadPoolExecutor(CLIENTS) as pool:
                list(pool.map(clients, visits(photos // TENTHS, seed + number)))
            until = time.monotonic() + _PATIENCE
            while (waiting := clients.waiting()) and time.monotonic() < until:
                time.sleep(_PAUSE)
            if waiting:
                clients.broken.append(f"{waiting} photos wait, and nobody works on them")
            time.sleep(2 * _PAUSE)
            rest = sample(server)
            samples.append(rest)
            tenths.append(Tenth(typical(samples), rest, max(one.disk for one in samples)))
            tell(row(number + 1, tenths[-1]))
        clients.close()
    return clients, tenths


HEAD = (
    "| tenth | memory MB | at rest MB | descriptors | threads | files | disk MB |\n"
    "|---|---|---|---|---|---|---|"
)


def row(number: int, tenth: Tenth) -> str:
    """A row of the table under HEAD."""
    rest = tenth.rest
    return (
        f"| {number} | {tenth.busy.memory / 1e6:.1f} | {rest.memory / 1e6:.1f} | "
        f"{rest.descriptors} | {rest.threads} | {rest.files} | {rest.disk / 1e6:.1f} |"
    )


def leaks(tenths: list[Tenth], max_disk: int) -> list[str]:
    """What grew from the second tenth to the last one that should not have."""
    early, late = tenths[1], tenths[-1]
    found = []
    if late.busy.memory > _MEMORY_GROWTH * early.busy.memory:
        found.append(f"memory grew from {early.busy.memory} to {late.busy.memory} bytes")
    for what in ("descriptors", "threads"):
        before, after = getattr(early.rest, what), getattr(late.rest, what)
        if after > before + _SLACK:
            found.append(f"{what} grew from {before} to {after}")
    if (most := max(tenth.most_disk for tenth in tenths)) > max_disk:
        found.append(f"the files took {most} bytes, the limit is {max_disk}")
    return found


def main() -> int:
    """Run from the command line; the exit code says whether the promises held."""
    parser = argparse.ArgumentParser(description="A thousand photos through the running server.")
    parser.add_argument("--photos", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    start = time.monotonic()
    rates = {"ENHANCE_MAX_UPLOADS_PER_MINUTE": "100000"}  # all clients have one address here
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), **rates) as server:
        print(HEAD)
        clients, tenths = soak(server, wanted.photos, wanted.seed, print)
    broken = clients.broken + leaks(tenths, Limits().max_disk_bytes)
    counts = ", ".join(f"{count} {what}" for what, count in sorted(clients.seen.items()))
    print(f"{counts}, {len(broken)} promises broken, {time.monotonic() - start:.0f} s")
    for sentence in broken:
        print(f"BROKEN {sentence}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
