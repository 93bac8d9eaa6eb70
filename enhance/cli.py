"""The command line: `python -m enhance PHOTO_OR_FOLDER... -o OUT` and `... fetch MODEL...`."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import FrameType
from typing import Any, get_args

from tqdm import tqdm

from enhance.catalogue import CATALOGUE
from enhance.choices import required_weights
from enhance.downloads import fetch
from enhance.engines.base import Run, unsaved
from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError
from enhance.images import EXTENSIONS
from enhance.manifest import Job, Manifest
from enhance.pipeline import Enhancer
from enhance.records import (
    UPSCALES,
    Background,
    Detector,
    FaceChoice,
    Failure,
    Limits,
    Masker,
    Metadata,
    Options,
    OutputFormat,
    Restorer,
    Result,
    Setup,
    Source,
)

log = logging.getLogger(__name__)

_GRACE = 8  # seconds that the current photo may take after SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if every photo succeeded, 1 if not, 2 on
    misuse, 143 when stopped by SIGTERM, 130 by SIGINT."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["fetch"]:
        return _fetch(arguments[1:])
    parser = _parser()
    wanted = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # file names may hold bytes that are no text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO if wanted.verbose else logging.ERROR)
    try:
        options = Options(**{f.name: getattr(wanted, f.name) for f in fields(Options)})
    except EnhanceError as error:
        parser.error(str(error))
    sources = _sources(wanted.photos)
    if not sources:
        parser.error("there is no photo in what you named.")
    if wanted.download and not _download(required_weights(options)):
        return 1
    try:
        manifest = Manifest(wanted.out)
    except OSError as error:
        parser.error(f"{wanted.out} cannot be the folder for the results: {error.strerror}.")

    def load() -> Enhancer:
        from enhance.build import load_enhancer  # imports torch: not needed for --help

        return load_enhancer(Setup(wanted.device, wanted.precision, wanted.weights), Limits())

    with closing(manifest), closing(LocalEngine(load, Limits())) as engine:
        return _run(engine, manifest, sources, options, wanted)


def _run(
    engine: LocalEngine,
    manifest: Manifest,
    sources: list[Source],
    options: Options,
    wanted: argparse.Namespace,
) -> int:
    """Enhance what is not done yet, save it and tell of it; returns the exit code."""
    start = time.perf_counter()
    key = _key(options, wanted)
    at_work: deque[tuple[int, Job]] = deque()  # given to the engine, which keeps their order
    done = failed = skipped = 0

    def tell(record: dict[str, object], line: str = "") -> None:
        if wanted.json:
            tqdm.write(json.dumps(record), file=sys.stdout)
        elif line:
            tqdm.write(line, file=sys.stdout if record["ok"] else sys.stderr)
        bar.update()

    def to_do() -> Iterator[Source]:
        nonlocal skipped
        for index, source in enumerate(sources):
            job = Job.of(source.path, key)
            file = None if wanted.overwrite else manifest.find(job)
            if file is None:
                at_work.append((index, job))
                yield source
            else:
                skipped += 1
                known = {"index": index, "file": str(file), "name": source.name}
                tell({"ok": True, **known, "skipped": True})

    with (
        tqdm(total=len(sources), unit="photo", disable=wanted.quiet, file=sys.stderr) as bar,
        closing(engine.run(to_do(), options)) as run,
        _signals(run) as stopped_by,
    ):
        for record in run:
            index, job = at_work.popleft()
            record = _save(manifest, job, replace(record, index=index))
            if isinstance(record, Failure):
                failed += 1
                tell({"ok": False, **asdict(record)}, f"failed: {record.reason}")
            else:
                done += 1
                file = str(wanted.out / record.filename)
                told = {"ok": True, "index": index, "file": file, **asdict(record.report)}
                tell(told, "" if wanted.quiet else _line(record))
    seconds = time.perf_counter() - start
    if wanted.json:
        counts = {"done": done, "skipped": skipped, "failed": failed}
        print(json.dumps({**counts, "seconds": round(seconds, 2)}))
    elif not wanted.quiet:
        before = f", {skipped} were done before" if skipped else ""
        print(
            f"{done} of {len(sources)} enhanced{before}, {failed} failed, {seconds:.1f} s: "
            f"{wanted.out}"
        )
    if stopped_by:
        print("Stopped. The same command again does the rest.", file=sys.stderr)
        return 128 + stopped_by[0]
    return 1 if failed else 0


@contextmanager
def _signals(run: Run) -> Iterator[list[int]]:
    """While the block runs, SIGTERM and SIGINT end the run, after what can be finished soon.

    Yields a list that gets the signal's number. A second signal ends the process at once.
    """
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        put_back()
        run.close()
        # Loading, or a step of a large model, may take longer; what it works on is not lost.
        timer = threading.Timer(_GRACE, os._exit, (128 + number,))
        timer.daemon = True
        timer.start()

    for number in before:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        put_back()


def _parser() -> argparse.ArgumentParser:
    default, setup = Options(), Setup()
    parser = argparse.ArgumentParser(
        prog="enhance",
        description="Restore faces and enlarge photos.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER", help="what to enhance")
    add("-o", "--out", type=Path, required=True, metavar="OUT", help="folder for the results")
    choice = parser.add_argument_group("options")
    add = choice.add_argument
    add("--upscale", type=int, choices=UPSCALES, default=default.upscale, help="final size")
    add("--restorer", choices=get_args(Restorer), default=default.restorer, help="face model")
    add("--weight", type=float, default=default.weight, help="0: faces as they are, 1: restored")
    add(
        "--background",
        choices=get_args(Background),
        default=default.background,
        help="how the rest is enlarged; auto: realesrgan on a GPU, on a CPU realesr-general-x4v3 "
        "if its weights are there, else lanczos",
    )
    add(
        "--face-threshold",
        type=float,
        default=default.face_threshold,
        help="how sure the detector must be, 0..1",
    )
    add("--faces", choices=get_args(FaceChoice), default=default.faces, help="which to restore")
    add(
        "--only-restore-blurred",
        action="store_true",
        help="leave faces alone that are sharp already",
    )
    add("--detector", choices=get_args(Detector), default=default.detector, help="finds faces")
    add("--masker", choices=get_args(Masker), default=default.masker, help="blends faces in")
    add("--min-face", type=int, default=default.min_face, help="smallest face, in pixels")
    add("--tile", type=int, default=default.tile, help="smaller needs less memory")
    add(
        "--format",
        choices=get_args(OutputFormat),
        default=default.format,
        help="of the results; same: as each photo is",
    )
    add("--quality", type=int, default=default.quality, help="of JPEG and WebP, 1..100")
    add(
        "--metadata",
        choices=get_args(Metadata),
        default=default.metadata,
        help="EXIF, XMP and IPTC; no-location: all but where the photo was taken",
    )
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default=setup.device)
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default=setup.precision)
    add("--weights", type=Path, metavar="PATH", help="weight file, or folder searched first")
    add(
        "--download",
        action="store_true",
        default=os.environ.get("ENHANCE_DOWNLOAD") == "1",
        help="first download what the options need (ENHANCE_DOWNLOAD=1 does the same)",
    )
    add = parser.add_argument
    add(
        "--overwrite",
        action="store_true",
        help="also do what an earlier run has done already, with the same options",
    )
    add("--json", action="store_true", help="one JSON object a photo on standard output")
    add("-q", "--quiet", action="store_true", help="say only what failed")
    add("-v", "--verbose", action="store_true", help="log what happens")
    return parser


def _fetch(arguments: Sequence[str]) -> int:
    """`fetch MODEL...`: download weights and verify them."""
    lines = [
        f"  {file.name:26}{file.size / 1e6:5.0f} MB  {file.about}\n{'':36}Licence: {file.licence}"
        for file in CATALOGUE.values()
    ]
    parser = argparse.ArgumentParser(
        prog="enhance fetch",
        description="Download model weights, verified by SHA-256, into the weights folder "
        "(ENHANCE_WEIGHTS_DIR).",
        epilog="models:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", choices=CATALOGUE, metavar="MODEL")
    return 0 if _download(parser.parse_args(arguments).models) else 1


def _download(names: Sequence[str]) -> bool:
    """Fetch the named files with a progress bar; whether all are there."""
    for name in names:
        file = CATALOGUE[name]
        with tqdm(
            total=file.size, unit="B", unit_scale=True, desc=file.filename, file=sys.stderr
        ) as bar:

            def show(done: int, _: int, bar: tqdm[Any] = bar) -> None:
                bar.update(done - bar.n)

            try:
                path = fetch(file, show)
            except EnhanceError as error:
                tqdm.write(str(error), file=sys.stderr)
                return False
            bar.update(file.size - bar.n)
        print(f"{name}: {path}", file=sys.stderr)
    return True


def _sources(paths: Sequence[Path]) -> list[Source]:
    """The named files, and the photos directly inside the named folders, in order of name."""
    found: dict[Path, Source] = {}
    for path in paths:
        inside = [path]
        if path.is_dir():
            inside = [p for p in sorted(path.iterdir()) if p.suffix.lower() in EXTENSIONS]
        for one in inside:  # named twice or not, each is one photo
            found.setdefault(one.absolute(), Source.of(one))
    return list(found.values())


def _key(options: Options, wanted: argparse.Namespace) -> str:
    """What tells one way of enhancing a photo from another."""
    asked = {**asdict(options), "precision": wanted.precision, "weights": str(wanted.weights)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _save(manifest: Manifest, job: Job, record: Result | Failure) -> Result | Failure:
    """The record, its file saved and named as it is now, or why that could not be."""
    if isinstance(record, Result):
        try:
            return replace(record, filename=manifest.save(job, record).name)
        except OSError as error:
            record = unsaved(record, error)
    try:
        manifest.fail(job, record)
    except OSError:  # the person is told of the failure all the same
        log.exception("a failure could not be recorded")
    return record


def _line(result: Result) -> str:
    report = result.report
    (w, h), seconds = report.output_size, sum(report.seconds.values())
    return (
        f"{result.name} → {result.filename}: {w} × {h}, {len(report.faces)} faces, {seconds:.1f} s"
    )
