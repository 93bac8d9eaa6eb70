"""The command line: `python -m enhance PHOTO_OR_FOLDER... -o OUT`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import get_args

from tqdm import tqdm

from enhance.engines.local import LocalEngine
from enhance.errors import EnhanceError
from enhance.files import write_bytes
from enhance.images import EXTENSIONS
from enhance.pipeline import Enhancer
from enhance.records import (
    UPSCALES,
    Background,
    Failure,
    Limits,
    Options,
    OutputFormat,
    Restorer,
    Result,
    Setup,
    Source,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if every photo succeeded, 1 if not, 2 on misuse."""
    parser = _parser()
    wanted = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if wanted.verbose else logging.ERROR)
    try:
        options = Options(**{f.name: getattr(wanted, f.name) for f in fields(Options)})
    except EnhanceError as error:
        parser.error(str(error))
    sources = _sources(wanted.photos)
    if not sources:
        parser.error("there is no photo in what you named.")
    wanted.out.mkdir(parents=True, exist_ok=True)

    def load() -> Enhancer:
        from enhance.build import load_enhancer  # imports torch: not needed for --help

        return load_enhancer(Setup(wanted.device, wanted.precision), Limits())

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
        help="how the rest is enlarged; auto: realesrgan on a GPU, lanczos on a CPU",
    )
    add(
        "--face-threshold",
        type=float,
        default=default.face_threshold,
        help="how sure the detector must be, 0..1",
    )
    add("--min-face", type=int, default=default.min_face, help="smallest face, in pixels")
    add("--tile", type=int, default=default.tile, help="smaller needs less memory")
    add(
        "--format",
        choices=get_args(OutputFormat),
        default=default.format,
        help="of the results; same: as each photo is",
    )
    add("--quality", type=int, default=default.quality, help="of JPEG and WebP, 1..100")
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default=setup.device)
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default=setup.precision)
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON object a photo on standard output")
    add("-q", "--quiet", action="store_true", help="say only what failed")
    add("-v", "--verbose", action="store_true", help="log what happens")
    return parser


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
            reason = f"“{record.name}” could not be saved: {error.strerror or error}."
            return Failure(record.index, record.name, reason, type(error).__name__)
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
