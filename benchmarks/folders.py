"""Ten thousand photos through the folder command, which is killed three times on its way.

    python -m benchmarks.folders [--json FILE] [--plot FILE] [--quick]

The photos are tiny, without restorer and enlarged by lanczos: what is left is the machinery. Every
run is ended by SIGKILL, at a moment drawn from a seed, and the same command is started again; the
last one ends by itself. Then every photo must have one line in the manifest and the right result.
Memory is the most that a run held beyond what it held after its first photos. The second table is
the bookkeeping alone, for up to a million photos: their listing, and the manifest of a finished
run.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from benchmarks.memory import forget_peak, in_use, peak
from benchmarks.photos import astronaut
from benchmarks.tables import Row, Table, arguments, show
from enhance.jobs.manifest import NAME
from enhance.jobs.manifest_lines import Job, Ledger, line
from enhance.jobs.sources import Entry, Listing

PHOTOS = 10_000
QUICK = 300
KILLS = 3
ENTRIES = (10_000, 100_000, 1_000_000)
MEMORY_GOAL = 30  # MB that a million photos may add

_FOLDER = 100  # photos
_WARM = 0.02  # of the photos: then everything is loaded


def make_tree(root: Path, photos: int) -> None:
    """Tiny photos, each with a colour of its own, a hundred to a folder."""
    small = cv2.resize(astronaut(), (24, 24))
    for number in range(photos):
        folder = root / f"{number // _FOLDER // 10:02}" / f"{number // _FOLDER:03}"
        folder.mkdir(parents=True, exist_ok=True)
        small[0, 0] = (number >> 16, number >> 8 & 255, number & 255)
        cv2.imwrite(str(folder / f"{number:06}.png"), small)


class Progress:
    """How many whole lines a manifest has, read as it grows."""

    def __init__(self, manifest: Path) -> None:
        self._manifest = manifest
        self._read = 0
        self.lines = 0

    def look(self) -> int:
        """Read what is new; returns the number of lines."""
        if self._manifest.exists():
            with self._manifest.open("rb") as file:
                file.seek(self._read)
                added = file.read()
            self._read += len(added)
            self.lines += added.count(b"\n")
        return self.lines


def one_run(source: Path, out: Path, warm: int, kill_at: int | None) -> Row:
    """One start of the command; it is killed when so many photos are done in all."""
    progress = Progress(out / NAME)
    before = progress.look()
    options = ("--restorer", "none", "--background", "lanczos", "--upscale", "1", "--quiet")
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "enhance", "run", str(source), "-o", str(out), *options]
    )
    done, first, last, resting, most = before, 0.0, 0.0, 0.0, 0.0
    while process.poll() is None:
        time.sleep(0.05)
        if progress.look() > done:
            done, last = progress.lines, time.perf_counter()
            first = first or last
        with suppress(OSError, IndexError):  # it has just ended
            if done >= before + warm and not resting:
                forget_peak(process.pid)
                resting = in_use(process.pid)
            if resting:
                most = peak(process.pid)
        if kill_at is not None and done >= kill_at:
            process.kill()
    done = progress.look() - before
    assert process.returncode == (0 if kill_at is None else -signal.SIGKILL)
    return {
        "ended by": "itself" if kill_at is None else "SIGKILL",
        "photos done": done,
        "s to the first": round(first - start, 1),
        "photos/s after it": round(done / max(last - first, 0.05)),
        "MB after the first": round(resting),
        "MB added later": round(most - resting, 1),
    }


def killed_and_resumed(photos: int) -> list[Row]:
    """A row per start of the command. Fails if a photo was not done, or was done twice."""
    dice = random.Random(3)
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "photos", Path(folder) / "out"
        make_tree(source, photos)
        steps = [(kill + 1) / (KILLS + 1) + dice.uniform(-0.1, 0.1) for kill in range(KILLS)]
        stops = [*(round(step * photos) for step in steps), None]
        rows = [one_run(source, out, max(1, photos // 50), stop) for stop in stops]
        lines = [json.loads(text) for text in (out / NAME).read_bytes().splitlines()]
        assert len(lines) == len({line["source"] for line in lines}) == photos
        for line in lines:
            result, expected = cv2.imread(str(out / line["file"])), cv2.imread(line["source"])
            assert result is not None and expected is not None
            assert np.array_equal(result, expected)
        assert sum(path.suffix == ".png" for path in out.rglob("*")) == photos
    return rows


def _keep(entries: int) -> tuple[float, float]:
    """(seconds, megabytes added at the most) for listing and manifest. Runs in its own process."""

    def names() -> Iterator[str]:
        return (f"{n % 997:03}/holiday {n:07}.jpg" for n in range(entries))

    def lines() -> Iterator[bytes]:
        for name in names():
            job = Job(f"/photos/{name}", 1, "1", "x2", "0" * 64)
            yield line(job, file=f"{name[:-4]}_enhanced.jpg", bytes=1)

    listing, ledger = Listing(), Ledger()
    forget_peak()
    resting, start = in_use(), time.perf_counter()
    for name in names():
        listing.add(Entry(f"/photos/{name}", name, 1, "1"))
    ledger.read(lines())
    found = sum(
        ledger.find(Job(entry.source, entry.size, entry.version, "x2")) is not None
        for entry in listing
    )
    assert found == len(listing) == entries
    return time.perf_counter() - start, peak() - resting


def bookkeeping(entries: int) -> Row:
    """See `_keep`."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        seconds, added = pool.submit(_keep, entries).result()
    return {"entries": entries, "s": round(seconds, 1), "added MB": round(added, 1)}


def measure(quick: bool) -> list[Table]:
    runs = killed_and_resumed(QUICK if quick else PHOTOS)
    entries = [bookkeeping(count) for count in (ENTRIES[:1] if quick else ENTRIES)]
    return [
        Table("Killed and resumed", runs),
        Table("Bookkeeping", entries, "entries", ("added MB",), {"added MB": MEMORY_GOAL}),
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
