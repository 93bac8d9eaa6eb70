"""The command line: `python -m enhance PHOTO_OR_FOLDER... -o OUT` and `... fetch MODEL...`."""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from enhance.catalogue import CATALOGUE
from enhance.choices import required_weights
from enhance.downloads import fetch
from enhance.engines.base import unsaved
from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError
from enhance.files import write_bytes
from enhance.images import EXTENSIONS
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if every photo succeeded, 1 if not, 2 on misuse."""
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
        wanted.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"{wanted.out} cannot be the folder for the results: {error.strerror}.")

    def load() -> Enhancer:
        from enhance.build import load_enhancer  # imports torch: not needed for --help

        return load_enhancer(Setup(wanted.device, wanted.precision, wanted.weights), Limits())

    start = time.perf_counter()
    failed = 0
    with (
        closing(LocalEngine(load, Limits())) as engine,
        closing(engine.run(sources, options)) as run,
        tqdm(total=len(sources), unit="photo", disable=wanted.quiet, file=sys.stderr) as bar,
    ):
        for record in run:
            record = _save(record, wanted.out)
            failed += isinstance(record, Failure)
            if wanted.json:
                tqdm.write(json.dumps(_machine(record, wanted.out)), file=sys.stdout)
            elif isinstance(record, Failure):
                tqdm.write(f"failed: {record.reason}", file=sys.stderr)
            elif not wanted.quiet:
                tqdm.write(_line(record), file=sys.stdout)
            bar.update()
    done = len(sources) - failed
    seconds = time.perf_counter() - start
    if wanted.json:
        print(json.dumps({"done": done, "failed": failed, "seconds": round(seconds, 2)}))
    elif not wanted.quiet:
        print(f"{done} of {len(sources)} enhanced, {failed} failed, {seconds:.1f} s: {wanted.out}")
    return 1 if failed else 0


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
    found = []
    for path in paths:
        if path.is_dir():
            inside = (p for p in sorted(path.iterdir()) if p.suffix.lower() in EXTENSIONS)
            found += [Source.of(p) for p in inside]
        else:
            found.append(Source.of(path))
    return found


def _save(record: Result | Failure, folder: Path) -> Result | Failure:
    if isinstance(record, Result):
        try:
            write_bytes(folder / record.filename, record.data)
        except OSError as error:
            return unsaved(record, error)
    return record


def _machine(record: Result | Failure, folder: Path) -> dict[str, object]:
    if isinstance(record, Failure):
        return {"ok": False, **asdict(record)}
    file = str(folder / record.filename)
    return {"ok": True, "index": record.index, "file": file, **asdict(record.report)}


def _line(result: Result) -> str:
    report = result.report
    (w, h), seconds = report.output_size, sum(report.seconds.values())
    return (
        f"{result.name} → {result.filename}: {w} × {h}, {len(report.faces)} faces, {seconds:.1f} s"
    )
