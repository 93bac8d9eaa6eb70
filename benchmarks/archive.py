"""A family's archive through the folder command: photos an hour, memory, and what limits them.

    python -m benchmarks.archive [--json FILE] [--plot FILE] [--photos 1000] [--quick]

The folder is drawn from a seed: 0.3 to 24 megapixels, mostly JPEG, some PNG, WebP and TIFF, no to
twelve faces, one photo in fifty broken. The command keeps the size of the photos (`--upscale 1`)
and cleans the whole picture. It is killed once on its way and started again. Memory is that of the
command and its decode workers together. The second table adds up the stages of all reports;
decoding, encoding and saving run beside the model.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.memory import in_use
from benchmarks.photos import Damage, Rgb, degrade, group
from benchmarks.tables import Row, Table, arguments, show

PHOTOS = 40  # a thousand take hours on two cores
MEGAPIXELS = (0.3, 1, 2, 3, 5, 8, 12, 16, 24)
SHARES = (10, 15, 20, 15, 15, 10, 10, 3, 2)  # of a hundred photos
FACES = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 6, 12)
FORMATS = ("JPEG",) * 16 + ("PNG", "WEBP", "TIFF", "TIFF")
BROKEN = 50  # one in so many


def photo(dice: random.Random, megapixels: float) -> Rgb:
    """People before a plain wall, in one of three states."""
    height = round((megapixels * 1e6 * 0.75) ** 0.5)
    width = round(megapixels * 1e6 / height)
    faces = dice.choice(FACES)
    pixels = group(faces, width, height)
    if not faces:
        pixels = np.ascontiguousarray(group(1, width, height)[height // 2 :])
    damage = dice.choice((Damage(0, 1, 2, 92), Damage(1, 1, 5, 80), Damage(1, 2, 4, 70)))
    return degrade(pixels, damage, seed=dice.randrange(2**31))


def fill(folder: Path, count: int, sizes: tuple[float, ...]) -> tuple[int, float]:
    """Draw the archive. Returns how many photos are broken, and the megapixels of the others."""
    dice = random.Random(7)
    broken, total = 0, 0.0
    for number in range(count):
        album = folder / f"{1960 + number * 60 // count}"
        album.mkdir(exist_ok=True)
        path = album / f"scan {number:04}"
        if number % min(BROKEN, count) == min(BROKEN, count) - 1:
            path.with_suffix(".jpg").write_bytes(dice.randbytes(5000))
            broken += 1
            continue
        (size,) = dice.choices(sizes, SHARES[: len(sizes)])
        pixels = photo(dice, size)
        kind = dice.choice(FORMATS)
        Image.fromarray(pixels).save(path.with_suffix(f".{kind.lower()}"), kind)
        total += pixels.shape[0] * pixels.shape[1] / 1e6
    return broken, total


def family(process: int) -> Iterator[int]:
    """A process and all that it has started."""
    yield process
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from family(int(child))


class Run:
    """One start of the command: reports as they are printed, and memory while they come."""

    def __init__(self, source: Path, out: Path, stop_after: int | None) -> None:
        """stop_after: the command is killed after so many photos."""
        self.reports: list[dict[str, Any]] = []
        self.failed = 0
        self.megabytes = 0.0
        start = time.perf_counter()
        command = [sys.executable, "-m", "enhance", "run", str(source), "-o", str(out)]
        with subprocess.Popen(
            [*command, "--upscale", "1", "--json"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            for line in process.stdout:
                said = json.loads(line)
                if "output_size" in said:
                    self.reports.append(said)
                elif "reason" in said:
                    self.failed += 1
                with suppress(OSError, IndexError):  # it has just ended
                    used = sum(in_use(one) for one in family(process.pid))
                    self.megabytes = max(self.megabytes, used)
                if stop_after is not None and len(self.reports) >= stop_after:
                    process.kill()
                    break
        self.seconds = time.perf_counter() - start


def measure(photos: int, quick: bool) -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "archive", Path(folder) / "out"
        source.mkdir()
        broken, megapixels = fill(source, photos, (0.02,) if quick else MEGAPIXELS)
        first = Run(source, out, photos // 3)
        second = Run(source, out, None)
    reports = [*first.reports, *second.reports]
    assert second.failed == broken  # those that failed before are tried again
    assert len({said["source"] for said in reports}) == photos - broken
    spent: Counter[str] = Counter()
    for said in reports:
        spent.update(said["seconds"])
    hours = (first.seconds + second.seconds) / 3600
    whole: Row = {
        "photos": photos,
        "broken": broken,
        "megapixels": round(megapixels),
        "minutes": round(60 * hours, 1),
        "photos an hour": round(photos / hours),
        "megapixels a minute": round(megapixels / hours / 60, 1),
        "memory, MB": round(max(first.megabytes, second.megabytes)),
    }
    stages = [
        {"stage": stage, "s": round(seconds, 1), "of the whole": f"{seconds / hours / 3600:.0%}"}
        for stage, seconds in spent.most_common()
    ]
    return [
        Table("An archive, killed once and resumed", [whole]),
        Table("Where it went", stages, "stage", ("s",)),
    ]


def main(argv: list[str] | None = None) -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--photos", type=int, default=PHOTOS, metavar="N", help=f"default: {PHOTOS}"
    )
    wanted: argparse.Namespace = parser.parse_args(argv)
    show(measure(6 if wanted.quick else wanted.photos, wanted.quick), wanted)


if __name__ == "__main__":
    main()
