"""Damaged files through the whole way of a photo: `python -m benchmarks.fuzz`, or `make fuzz`.

A corpus of every format is mutated, each file from a seed of its own, and sent through decode,
pipeline and encode in worker processes with limits on memory and time, so that a hang or a crash
in native code is seen and belongs to a file. Promised is that every file becomes a result or a
failure that names the photo. Files that break the promise are kept.
"""

import argparse
import io
import multiprocessing
import os
import random
import resource
import struct
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pillow_heif
import tifffile
from PIL import Image, ImageCms

from benchmarks.memory import peak
from enhance.engines.local import LocalEngine
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import Decoder, decode
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.pipeline.protocols import Upscaler
from enhance.records import EngineInfo, Pixels, Result, Source
from enhance.upscaling.upscalers import interpolated

T = TypeVar("T")

MEMORY = 4 * 1024**3
"""Bytes of address space that a worker may have."""

SECONDS = 120
"""What one file may take; longer is a hang. One that really has 60 megapixels takes some ten."""

_CLEAR = {"UnreadablePhoto", "UnsupportedPhoto", "PhotoTooLarge"}
_PNG_HEAD = 8
_NUMBERS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
# Lengths and places that photos of a few thousand bytes and of tens of megapixels have.
_NUMBERS += [3, 4, 7, 8, 13, 16, 255, 256, 4096, 8_000, 65_500]

OPTIONS = Options(size="1x", restorer="none", background="lanczos", repair="off", tone="off")


# --- The corpus -----------------------------------------------------------------------------------


def corpus() -> dict[str, bytes]:
    """Small intact files by what they are; the first word is the format."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:41, 0:57]
    rgb = np.stack([x * 4, y * 6, (x + y) * 2], -1).astype(np.uint8)
    rgb[10:30, 15:45] ^= random.integers(0, 60, (20, 30, 3), np.uint8)
    rgba = np.dstack([rgb, (x * 4).astype(np.uint8)])
    deep = rgb.astype(np.uint16) * 257 + random.integers(0, 200, rgb.shape).astype(np.uint16)
    image, clear = Image.fromarray(rgb), Image.fromarray(rgba)
    palette, gray = image.quantize(32), image.convert("L")
    blocks = {"exif": _exif(), "icc_profile": _icc(), "dpi": (300, 300)}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6" exif:GPSLatitude="1,2N"/>'
    files = {
        "JPEG baseline": _saved(image, "JPEG", quality=80),
        "JPEG progressive": _saved(image, "JPEG", quality=80, progressive=True),
        "JPEG CMYK": _saved(image.convert("CMYK"), "JPEG"),
        "JPEG gray": _saved(gray, "JPEG"),
        "JPEG with EXIF, ICC and XMP": _saved(image, "JPEG", **blocks, xmp=xmp),
        "JPEG with restart markers": _saved(image, "JPEG", restart_marker_blocks=2),
        "JPEG of several pictures": _several(image, "MPO"),
        "PNG": _saved(image, "PNG"),
        "PNG with EXIF and ICC": _saved(clear, "PNG", **blocks),
        "PNG palette": _saved(palette, "PNG", transparency=3),
        "PNG 1 bit": _saved(gray.convert("1"), "PNG"),
        "PNG gray 16 bit": _saved(Image.fromarray(deep[..., 0]), "PNG"),
        "PNG color 16 bit": _png(deep),
        "PNG interlaced": _interlaced(rgb),
        "PNG animated": _several(image, "PNG"),
        "WebP lossy": _saved(image, "WEBP", quality=70),
        "WebP with alpha, EXIF and ICC": _saved(clear, "WEBP", **blocks, xmp=xmp),
        "WebP lossless": _saved(clear, "WEBP", lossless=True),
        "WebP animated": _several(image, "WEBP"),
        "TIFF raw": _saved(image, "TIFF", **blocks),
        "TIFF LZW": _saved(clear, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": _saved(image, "TIFF", compression="tiff_adobe_deflate"),
        "TIFF JPEG": _saved(image, "TIFF", compression="jpeg"),
        "TIFF PackBits gray": _saved(gray, "TIFF", compression="packbits"),
        "TIFF fax": _saved(gray.convert("1"), "TIFF", compression="group4"),
        "TIFF CMYK": _saved(image.convert("CMYK"), "TIFF"),
        "TIFF Lab": _saved(image.convert("LAB"), "TIFF", icc_profile=None),
        "TIFF of several pages": _several(image, "TIFF"),
        "TIFF 16 bit": _tiff(deep, compression="zlib", predictor=True),
        "TIFF 16 bit in tiles": _tiff(np.pad(deep, ((0, 7), (0, 7), (0, 0))), tile=(16, 16)),
        "TIFF 16 bit in planes": _tiff(np.moveaxis(deep, -1, 0), planarconfig="separate"),
        "TIFF 16 bit gray, big-endian": _tiff(deep[..., 0], byteorder=">"),
        "TIFF 16 bit gray with alpha": _tiff(deep[..., :2], extrasamples=["unassalpha"]),
        "BMP": _saved(image, "BMP"),
        "BMP palette": _saved(palette, "BMP"),
        "GIF": _saved(palette, "GIF"),
        "GIF animated": _several(palette, "GIF"),
        "HEIC": _saved(image, "HEIF", **blocks, xmp=xmp),
        "HEIC 10 bit": _heif(deep),
        "HEIC with alpha": _saved(clear, "HEIF"),
        "AVIF": _saved(image, "AVIF", exif=_exif(), icc_profile=_icc()),
        "AVIF animated": _without_time(_several(image, "AVIF")),
    }
    return files


def _without_time(animated: bytes) -> bytes:
    """An AVIF without the moment at which it was made: a seed gives the same file at any time."""
    file = bytearray(animated)
    for box in (b"mvhd", b"tkhd", b"mdhd"):  # version and flags, then two times of 8 bytes
        at = file.index(box) + len(box)
        assert file[at] == 1
        file[at + 4 : at + 20] = bytes(16)
    return bytes(file)


def _saved(image: Image.Image, kind: str, **settings: Any) -> bytes:
    file = io.BytesIO()
    image.copy().save(file, kind, **settings)
    return file.getvalue()


def _several(image: Image.Image, kind: str) -> bytes:
    more = [image.rotate(90), image.rotate(180)]
    return _saved(image, kind, save_all=True, append_images=more)


def _tiff(pixels: Pixels, **settings: Any) -> bytes:
    file = io.BytesIO()
    rgb = 3 in (pixels.shape[-1], pixels.shape[0])
    settings.setdefault("photometric", "rgb" if rgb else "minisblack")
    settings.setdefault("planarconfig", None if pixels.ndim == 2 else "contig")
    tifffile.imwrite(file, pixels, metadata=None, **settings)
    return file.getvalue()


def _heif(deep: Pixels) -> bytes:
    height, width = deep.shape[:2]
    file = io.BytesIO()
    pillow_heif.encode("RGB;16", (width, height), deep.tobytes(), file, quality=80)
    return file.getvalue()


def _chunk(tag: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def _png(deep: Pixels) -> bytes:
    header = struct.pack(">IIBBBBB", deep.shape[1], deep.shape[0], 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in deep)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _interlaced(rgb: Pixels) -> bytes:
    """Adam7, which Pillow reads but does not write."""
    header = struct.pack(">IIBBBBB", rgb.shape[1], rgb.shape[0], 8, 2, 0, 0, 1)
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
    rows = b""
    for top, left, down, right in (*passes, (1, 0, 2, 1)):
        rows += b"".join(b"\0" + row.tobytes() for row in rgb[top::down, left::right])
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif.get_ifd(0x8769)[0x9003] = "1999:12:31 23:59:59"
    exif.get_ifd(0x8825)[1] = "N"
    return exif.tobytes()


def _icc() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = bytes(12)  # the time at which it was made
    return bytes(profile)


# --- The damage -----------------------------------------------------------------------------------


def _flip(data: bytearray, dice: random.Random, _: bytes) -> None:
    for _bit in range(dice.choice((1, 1, 2, 8, 32))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)


def _truncate(data: bytearray, dice: random.Random, _: bytes) -> None:
    del data[dice.randrange(1, len(data)) :]


def _splice(data: bytearray, dice: random.Random, other: bytes) -> None:
    data[dice.randrange(len(data)) :] = other[dice.randrange(len(other)) :]


def _insert(data: bytearray, dice: random.Random, other: bytes) -> None:
    at, start = dice.randrange(len(data)), dice.randrange(len(other))
    data[at:at] = other[start : start + dice.randrange(1, 400)]


def _number(data: bytearray, dice: random.Random, where: int) -> None:
    kind = dice.choice((">B", "<H", ">H", "<I", ">I"))
    value = dice.choice(_NUMBERS) & (256 ** struct.calcsize(kind) - 1)
    packed = struct.pack(kind, value)
    at = dice.randrange(min(where, len(data)))
    data[at : at + len(packed)] = packed


def _header(data: bytearray, dice: random.Random, _: bytes) -> None:
    for _field in range(dice.choice((1, 1, 2, 4))):
        _number(data, dice, 64)


def _field(data: bytearray, dice: random.Random, _: bytes) -> None:
    for _number_of in range(dice.choice((1, 1, 2, 4))):
        _number(data, dice, len(data))


def _duplicate(data: bytearray, dice: random.Random, _: bytes) -> None:
    start, at = dice.randrange(len(data)), dice.randrange(len(data))
    piece = bytes(data[start : start + dice.randrange(1, 300)])
    data[at:at] = piece * dice.choice((1, 1, 2, 50))


def _zeros(data: bytearray, dice: random.Random, _: bytes) -> None:
    start = dice.randrange(len(data))
    stop = min(len(data), start + dice.randrange(1, 200))
    data[start:stop] = bytes([dice.choice((0, 0, 255))]) * (stop - start)


def _cut_out(data: bytearray, dice: random.Random, _: bytes) -> None:
    start = dice.randrange(1, len(data))
    del data[start : start + dice.randrange(1, 100)]


_DAMAGES: tuple[Callable[[bytearray, random.Random, bytes], None], ...] = (
    _flip,
    _truncate,
    _splice,
    _insert,
    _header,
    _field,
    _duplicate,
    _zeros,
    _cut_out,
)


def mutate(files: dict[str, bytes], seed: int) -> tuple[str, bytes]:
    """What the file was, and the damaged file; the same seed gives the same bytes."""
    dice = random.Random(seed)
    labels = list(files)
    label = labels[seed % len(labels)]
    data = bytearray(files[label])
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        dice.choice(_DAMAGES)(data, dice, files[dice.choice(labels)])
        data = data or bytearray(1)
    if label.startswith("PNG") and dice.random() < 0.6:
        _mend_checksums(data)
    return label, bytes(data)


def _mend_checksums(data: bytearray) -> None:
    """Right checksums for a PNG's chunks, so that the damage reaches the decoder."""
    at = _PNG_HEAD
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        end = at + 8 + size
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4


# --- The workers ----------------------------------------------------------------------------------


class _Plain(ResidentModels):
    """Resident models for a photo of which nothing is to be restored or enlarged."""

    def __init__(self) -> None:
        self.device, self.precision = "cpu", "fp32"

    def resolve(self, options: Options) -> tuple[Options, dict[str, str]]:
        return options, {}

    def upscaler(self, name: str) -> Upscaler:
        return interpolated


class Watched(Decoder):
    """Knows what its worker takes; see `Tally`."""

    def __init__(self) -> None:
        super().__init__(1)
        self.seconds, self.memory, self.ended = 0.0, 0.0, 0

    def run(self, function: Callable[..., T], source: Source, *arguments: Any) -> T:
        """See `Decoder.run`."""
        self.start()
        (before,) = self._free.queue
        spent = processor_time(before.pid) if before else 0
        try:
            return super().run(function, source, *arguments)
        finally:
            (after,) = self._free.queue
            if before and after is before:
                self.seconds = max(self.seconds, processor_time(before.pid) - spent)
                self.memory = max(self.memory, peak(before.pid))
            else:
                self.ended += 1


def processor_time(process: int) -> float:
    """Seconds that all threads of a process have worked."""
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


Judge = Callable[[LocalEngine, Path], str]


def _work(requests: Connection, judge: Judge) -> None:
    """A worker's life: paths come, outcomes go."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Path(os.devnull).open("w") as nowhere:  # the decoders' own complaints
        os.dup2(nowhere.fileno(), 2)
    limits = Limits()
    enhancer = Enhancer(_Plain(), limits, EngineInfo("cpu", "fp32", 0))
    with (
        closing(Watched()) as decoder,
        closing(LocalEngine(lambda: enhancer, limits, decoder)) as engine,
    ):
        while (path := requests.recv()) is not None:
            outcome = judge(engine, path)
            requests.send((outcome, decoder.seconds, decoder.memory, decoder.ended))
            decoder.seconds, decoder.ended = 0.0, 0


def outcome_of(engine: LocalEngine, path: Path) -> str:
    """ "whole", "salvaged", the class of a clear failure, or a sentence about what is wrong."""
    decoder = engine._decoder
    decoder.size_of(path)  # as the server does before the engine sees the photo
    (record,) = engine.run([Source.of(path)], OPTIONS)
    if not isinstance(record, Result):
        if record.kind in _CLEAR and f"“{path.name}”" in record.reason:
            return record.kind
        return f"no clear failure: {record.kind}: {record.reason}"
    result = path.with_name(f"result_{path.name}_{record.filename}")
    result.write_bytes(record.data)
    try:
        size = decode(Source.of(result)).size
    except Exception as error:
        return f"the result cannot be read: {error!r}"
    finally:
        result.unlink()
    if size != record.report.output_size:
        return f"the result is {size}, reported was {record.report.output_size}"
    cut = any(note.startswith("The file is cut off") for note in record.report.notes)
    return "salvaged" if cut else "whole"


class Worker:
    """A process that takes one file at a time and is replaced when it dies of one."""

    def __init__(self, judge: Judge = outcome_of) -> None:
        self._judge = judge
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._judge), daemon=True)
        self._process.start()
        theirs.close()

    def __call__(self, path: Path) -> tuple[str, float, float, int]:
        """The outcome; of decoding the most seconds of the processor, the most resident megabytes
        so far, and how often a worker ended by a limit or a crash."""
        try:
            self._connection.send(path)
            if self._connection.poll(SECONDS):
                outcome: tuple[str, float, float, int] = self._connection.recv()
                return outcome
            verdict = f"hung for more than {SECONDS} s"
        except (EOFError, OSError):
            self._process.join(5)
            verdict = f"crashed the process (exit code {self._process.exitcode})"
        self._process.kill()
        self._process.join()
        self._start()
        return verdict, 0, 0, 0

    def close(self) -> None:
        """Let the process end."""
        with suppress(OSError):
            self._connection.send(None)
        self._process.join(10)
        self._process.kill()


# --- The count ------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of the files: by format, how often each outcome; and what broke the promise."""

    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    slowest: float = 0  # seconds
    processor: float = 0  # seconds, of decoding one file without being ended by a limit
    memory: float = 0  # megabytes that decoding had resident
    ended: int = 0  # workers that a limit or a crash ended

    @property
    def files(self) -> int:
        """How many were tried."""
        return sum(counts.total() for counts in self.outcomes.values())

    def table(self) -> str:
        """Markdown, one row a format."""
        columns = ("whole", "salvaged", *sorted(_CLEAR), "broken")
        lines = [f"| format | files | {' | '.join(columns)} |", "|---" * (len(columns) + 2) + "|"]
        rows = {**self.outcomes, "all": sum(self.outcomes.values(), Counter[str]())}
        for name, counts in rows.items():
            cells = " | ".join(str(counts[column]) for column in columns)
            lines.append(f"| {name} | {counts.total()} | {cells} |")
        return "\n".join(lines)


def fuzz(seeds: range, folder: Path, *, seconds: float, workers: int = 2) -> Tally:
    """Try one damaged file per seed, as many as `seconds` allow; files that break the promise
    stay in `folder`."""
    files, tally = corpus(), Tally()
    until = time.monotonic() + seconds
    lock = threading.Lock()

    def follow(offset: int) -> Iterator[tuple[str, Path, float, tuple[str, float, float, int]]]:
        with closing(Worker()) as worker:
            for seed in seeds[offset::workers]:
                if time.monotonic() > until:
                    return
                label, data = mutate(files, seed)
                path = folder / f"{seed:06}_{label.replace(' ', '_')}"
                path.write_bytes(data)
                start = time.monotonic()
                seen = worker(path)
                yield label, path, time.monotonic() - start, seen

    def take(offset: int) -> None:
        for label, path, spent, (outcome, processor, memory, ended) in follow(offset):
            known = outcome in _CLEAR | {"whole", "salvaged"}
            if known:
                path.unlink()
            with lock:
                counts = tally.outcomes.setdefault(label.split()[0], Counter())
                counts[outcome if known else "broken"] += 1
                tally.slowest, tally.memory = max(tally.slowest, spent), max(tally.memory, memory)
                tally.processor, tally.ended = max(tally.processor, processor), tally.ended + ended
                if not known:
                    tally.broken.append(f"{path.name}: {outcome}")

    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(take, range(workers)))
    return tally


def main() -> int:
    """Run from the command line; the exit code says whether the promise held."""
    parser = argparse.ArgumentParser(description="Damaged files through the whole way of a photo.")
    parser.add_argument("--files", type=int, default=30_000)
    parser.add_argument("--first", type=int, default=0, metavar="SEED")
    parser.add_argument("--seconds", type=float, default=1_200, help="stop then, tried or not")
    wanted = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    start = time.monotonic()
    seeds = range(wanted.first, wanted.first + wanted.files)
    tally = fuzz(seeds, folder, seconds=wanted.seconds)
    print(tally.table())
    print(
        f"{tally.files} of {wanted.files} files in {time.monotonic() - start:.0f} s, the slowest "
        f"in {tally.slowest:.1f} s; decoding took at most {tally.processor:.1f} s of the processor "
        f"and {tally.memory:.0f} MB; {tally.ended} workers came to a limit or crashed"
    )
    for line in tally.broken:
        print(f"BROKEN {folder / line}")
    if not tally.broken:
        folder.rmdir()
    return 1 if tally.broken or tally.files < wanted.files else 0


if __name__ == "__main__":
    sys.exit(main())
