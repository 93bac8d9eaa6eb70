"""What the folder command does with many photos, and with large ones.

    python -m benchmarks.folders [--json FILE] [--plot FILE] [--quick]

First ten thousand tiny photos, without restorer and enlarged by lanczos: what is left is the
machinery. Every run is ended by SIGKILL, at a moment drawn from a seed, and the same command is
started again; the last one ends by itself. Then every photo must have one line in the manifest and
the right result. Memory is the most that a run held beyond what it held after its first photos.

Then a family's archive, drawn from a seed: 0.3 to 24 megapixels, mostly JPEG, some PNG, WebP and
TIFF, no to twelve faces, one photo broken. The command keeps the size of the photos
(`--size 1x`) and cleans the whole picture. The last table adds up the stages of all reports;
decoding, encoding and saving run beside the model.
"""

import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.memory import forget_peak, in_use, peak
from benchmarks.photos import Damage, Rgb, astronaut, degrade, group
from benchmarks.tables import Row, Table, arguments, show
from enhance.jobs.manifests import NAME

PHOTOS, QUICK = 10_000, 300
KILLS = 3

_FOLDER = 100  # photos

_ARCHIVE = 20  # photos
_MEGAPIXELS = (0.3, 1, 2, 3, 5, 8, 12, 16, 24)
_SHARES = (10, 15, 20, 15, 15, 10, 10, 3, 2)  # of a hundred photos
_FACES = (0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 6, 12)
_STATES = (Damage(0, 1, 2, 92), Damage(1, 1, 5, 80), Damage(1, 2, 4, 70))
_FORMATS = ("JPEG",) * 16 + ("PNG", "WEBP", "TIFF", "TIFF")


def make_tree(root: Path, photos: int) -> None:
    """Tiny photos, each with a color of its own, a hundred to a folder."""
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
    options = ["--restorer", "none", "--background", "lanczos", "--size", "1x", "--quiet"]
    options += ["--repair", "off", "--tone", "off"]  # else each photo is looked at
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


def drawn(dice: random.Random, megapixels: float) -> Rgb:
    """People before a plain wall, in one of three states."""
    height = round((megapixels * 1e6 * 0.75) ** 0.5)
    width = round(megapixels * 1e6 / height)
    faces = dice.choice(_FACES)
    pixels = group(faces, width, height)
    if not faces:
        pixels = np.ascontiguousarray(group(1, width, height)[height // 2 :])
    return degrade(pixels, dice.choice(_STATES), seed=dice.randrange(2**31))


def archive(count: int, sizes: tuple[float, ...]) -> list[Table]:
    """Draw an archive of so many photos and enhance it. sizes: in megapixels."""
    dice = random.Random(7)
    megapixels = 0.0
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "archive", Path(folder) / "out"
        source.mkdir()
        (source / "broken.jpg").write_bytes(dice.randbytes(5000))
        for number in range(count - 1):
            (size,) = dice.choices(sizes, _SHARES[: len(sizes)])
            pixels, kind = drawn(dice, size), dice.choice(_FORMATS)
            Image.fromarray(pixels).save(source / f"scan {number:04}.{kind.lower()}", kind)
            megapixels += pixels.shape[0] * pixels.shape[1] / 1e6
        command = [sys.executable, "-m", "enhance", "run", str(source), "-o", str(out)]
        start = time.perf_counter()
        printed = subprocess.run(
            [*command, "--size", "1x", "--json"], stdout=subprocess.PIPE, text=True
        ).stdout
        hours = (time.perf_counter() - start) / 3600
    reports = [said for said in map(json.loads, printed.splitlines()) if "output_size" in said]
    assert len(reports) == count - 1
    spent: Counter[str] = Counter()
    for said in reports:
        spent.update(said["seconds"])
    whole: Row = {
        "photos": count,
        "broken": 1,
        "megapixels": round(megapixels),
        "minutes": round(60 * hours, 1),
        "photos an hour": round(count / hours),
        "megapixels a minute": round(megapixels / hours / 60, 1),
    }
    stages = [
        {"stage": stage, "s": round(seconds, 1), "of the whole": f"{seconds / hours / 3600:.0%}"}
        for stage, seconds in spent.most_common()
    ]
    return [
        Table("A family's archive", [whole]),
        Table("Where the time went", stages, "stage", ("s",)),
    ]


def measure(quick: bool) -> list[Table]:
    runs = killed_and_resumed(QUICK if quick else PHOTOS)
    count, sizes = (3, (0.02,)) if quick else (_ARCHIVE, _MEGAPIXELS)
    return [Table("Killed and resumed", runs), *archive(count, sizes)]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
