"""The command line: `python -m enhance PHOTO_OR_FOLDER... -o OUT`, `... run SRC -o OUT` for folder
trees and object stores, `... fetch MODEL...`, `... models` and `... pool up|status|down`."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, get_args

from tqdm import tqdm

from enhance.catalogue import MODELS, option_values, weight_files
from enhance.choices import required_weights
from enhance.engines.base import Engine
from enhance.engines.choice import open_engine
from enhance.errors import EnhanceError
from enhance.inventory import inventory
from enhance.jobs import pool
from enhance.jobs.console import Show
from enhance.jobs.locations import find_folder, open_photos, open_results
from enhance.jobs.object_store import Store
from enhance.jobs.run import work
from enhance.jobs.sources import Photos, Shard, named
from enhance.limits import Limits
from enhance.options import (
    UPSCALES,
    FaceChoice,
    FaceColours,
    Metadata,
    Options,
    OutputFormat,
    Setup,
    Switch,
    WorkingSize,
)
from enhance.version import VERSION
from enhance.weights.download import fetch
from enhance.weights.files import WeightFile
from enhance.weights.folder import models_folder, refused


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if every photo succeeded, 1 if not, 2 on
    misuse, 143 when stopped by SIGTERM, 130 by SIGINT."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["fetch"]:
        return _fetch(arguments[1:])
    if arguments[:1] == ["models"]:
        return _models(arguments[1:])
    if arguments[:1] == ["pool"]:
        return pool.main(arguments[1:])
    if arguments[:1] == ["run"]:
        parser = _run_parser()
        wanted = parser.parse_args(arguments[1:])
    else:
        parser = _parser()
        wanted = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO if wanted.verbose else logging.ERROR)
    show = Show(wanted.out, wanted.json, wanted.quiet)
    limits = Limits()
    try:
        options = Options(**{f.name: getattr(wanted, f.name) for f in fields(Options)})
        photos, out = _folders(wanted, limits, show)
    except (EnhanceError, ValueError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"the photos cannot be listed: {error}.")
    if not photos.listing.found:
        parser.error("no photos were found.")
    if wanted.download and not _download(required_weights(options)):
        return 1
    try:
        results = open_results(out)
    except OSError as error:
        reason = error.strerror or error
        parser.error(f"{wanted.out} cannot be the folder for the results: {reason}.")
    key = _key(options, wanted)
    try:
        engine = _engine(wanted, limits)
    except EnhanceError as error:
        parser.error(str(error))
    with closing(photos), closing(results), closing(engine):
        counts, stopped_by = work(
            engine, photos, results, options, key, limits, overwrite=wanted.overwrite, show=show
        )
        try:
            results.close()
        except OSError as error:
            print(
                f"The end of the manifest could not be written: {error}. Run the same command "
                "again to redo the last photos.",
                file=sys.stderr,
            )
            return 1
    if stopped_by:
        print("Stopped. Run the same command again to do the rest.", file=sys.stderr)
        return 128 + stopped_by
    return 1 if counts.failed or photos.listing.unreadable else 0


def _folders(wanted: argparse.Namespace, limits: Limits, show: Show) -> tuple[Photos, Path | Store]:
    """The photos to do, and the folder for the results. Raises OSError, or ValueError with a
    sentence."""
    out = find_folder(wanted.out)
    if "photos" in wanted:
        return named(wanted.photos), out
    source = find_folder(wanted.source)
    with show.bar(" photos", doing="listing") as bar:
        return open_photos(source, out, wanted.shard, bar.update, limits), out


def _engine(wanted: argparse.Namespace, limits: Limits) -> Engine:
    """The engine for the job. Raises OptionsError if the environment asks for one that is not
    available."""

    setup = Setup(wanted.device, wanted.precision, wanted.weights)
    return open_engine(setup, limits, yields="source" in wanted)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enhance",
        description="Restore faces and enlarge photos.",
        epilog="Folder trees and object stores: %(prog)s run --help. Models: "
        "%(prog)s models, %(prog)s fetch --help.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"enhance {VERSION}")
    add("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER", help="what to enhance")
    add("-o", "--out", required=True, metavar="OUT", help="folder or URL for the results")
    _add_options(parser)
    return parser


def _run_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="enhance run",
        description="Enhance the photos in a folder and all of its subfolders. SRC "
        "and OUT are local folders or URLs such as s3://bucket/photos. "
        "Run the same command again to finish an interrupted run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add(
        "source", metavar="SRC", help="folder with the photos; hidden files and folders are skipped"
    )
    add(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="folder for the results, with the same subfolders",
    )
    add(
        "--shard",
        type=_shard,
        default=Shard(),
        metavar="I/N",
        help="process the I-th of N parts, so that N machines can share the photos",
    )
    _add_options(parser)
    return parser


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is not of the form I/N; the second of eight parts is 2/8."
        ) from None


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that both commands share."""
    default, setup = Options(), Setup()
    choice = parser.add_argument_group("options")
    add = choice.add_argument
    add("--upscale", type=int, choices=UPSCALES, default=default.upscale, help="final size")
    add(
        "--restorer", choices=option_values("restorer"), default=default.restorer, help="face model"
    )
    add("--weight", type=float, default=default.weight, help="0: original faces, 1: restored faces")
    add(
        "--background",
        choices=option_values("background"),
        default=default.background,
        help="how the rest is enlarged; auto: realesrgan on a GPU, on a CPU realesr-general-x4v3 "
        "if its weights are there, else compact",
    )
    add(
        "--background-weight",
        type=float,
        default=default.background_weight,
        help="0: original background, 1: cleaned background",
    )
    add(
        "--working-size",
        choices=get_args(WorkingSize),
        default=default.working_size,
        help="auto: realesrgan works on blurry parts of a photo at a half or a third of their size",
    )
    add(
        "--face-colours",
        choices=get_args(FaceColours),
        default=default.face_colours,
        help="colours of restored faces: the photo's or the model's",
    )
    add(
        "--repair",
        choices=get_args(Switch),
        default=default.repair,
        help="auto: find scratches, creases, dust and specks, and fill them in",
    )
    add(
        "--repair-sensitivity",
        type=float,
        default=default.repair_sensitivity,
        help="0: repair only what is certainly damage, 1: what is likely to be",
    )
    add(
        "--tone",
        choices=get_args(Switch),
        default=default.tone,
        help="auto: undo the fading and the cast of old prints",
    )
    add(
        "--tone-strength",
        type=float,
        default=default.tone_strength,
        help="0: colours as they are, 1: their fading undone",
    )
    add(
        "--face-threshold",
        type=float,
        default=default.face_threshold,
        help="how confident the detector must be, 0..1",
    )
    add(
        "--faces",
        choices=get_args(FaceChoice),
        default=default.faces,
        help="which faces to restore",
    )
    add(
        "--only-restore-blurred",
        action="store_true",
        help="skip faces that are already sharp",
    )
    add(
        "--detector",
        choices=option_values("detector"),
        default=default.detector,
        help="finds faces",
    )
    add(
        "--masker",
        choices=option_values("masker"),
        default=default.masker,
        help="blends the restored faces in",
    )
    add("--min-face", type=int, default=default.min_face, help="smallest face, in pixels")
    add(
        "--tile",
        type=int,
        default=default.tile,
        help="tile size in pixels; smaller tiles need less memory",
    )
    add(
        "--format",
        choices=get_args(OutputFormat),
        default=default.format,
        help="format of the results; same: that of each photo",
    )
    add(
        "--quality",
        type=int,
        default=default.quality,
        help="quality of JPEG, WebP, HEIC and AVIF, 1..100",
    )
    add(
        "--metadata",
        choices=get_args(Metadata),
        default=default.metadata,
        help="EXIF, XMP and IPTC; no-location: everything but where the photo was taken",
    )
    add("--device", choices=("auto", "cpu", "cuda", "mps"), default=setup.device)
    add("--precision", choices=("auto", "fp32", "bf16", "fp16"), default=setup.precision)
    add(
        "--weights",
        type=Path,
        metavar="PATH",
        help="a weight file, or a folder that is searched first",
    )
    add(
        "--download",
        action="store_true",
        default=os.environ.get("ENHANCE_DOWNLOAD") == "1",
        help="first download the weights that the options need (same as ENHANCE_DOWNLOAD=1)",
    )
    add = parser.add_argument
    add(
        "--overwrite",
        action="store_true",
        help="also redo photos that an earlier run has finished with the same options",
    )
    add("--json", action="store_true", help="print one JSON object per photo, then the counts")
    add("-q", "--quiet", action="store_true", help="print failures only")
    add("-v", "--verbose", action="store_true", help="log every step")


def _models(arguments: Sequence[str]) -> int:
    """`models`: list all models, and the files in the models folder that cannot be used."""
    argparse.ArgumentParser(
        prog="enhance models",
        description="List the models that the options can name. Files of your own belong into "
        f"{models_folder()} (ENHANCE_MODELS_DIR).",
    ).parse_args(arguments)
    for model in inventory():
        size = f"{model['bytes'] / 1e6:.0f} MB" if model["bytes"] else ""
        there = "" if model["present"] else f"not here: enhance fetch {model['name']}"
        print(f"{model['kind']:11}{model['name']:27}{size:>7}  {model['about']} {there}".rstrip())
        print(f"{'':47}Licence: {model['licence']}")
    for error in refused().values():
        print(f"Not used: {error}", file=sys.stderr)
    return 0


def _fetch(arguments: Sequence[str]) -> int:
    """`fetch MODEL...`: download weights and verify them."""
    lines = [
        f"  {name:26}{file.size / 1e6:5.0f} MB  {MODELS[name].about}\n"
        f"{'':36}Licence: {MODELS[name].licence}"
        for name, file in weight_files().items()
    ]
    parser = argparse.ArgumentParser(
        prog="enhance fetch",
        description="Download model weights, verified by SHA-256, into the weights folder "
        "(ENHANCE_WEIGHTS_DIR).",
        epilog="models:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", choices=weight_files(), metavar="MODEL")
    wanted = weight_files(parser.parse_args(arguments).models)
    return 0 if _download(wanted) else 1


def _download(files: Mapping[str, WeightFile]) -> bool:
    """Download the files of these models with a progress bar. Returns whether all succeeded."""
    for name, file in files.items():
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


def _key(options: Options, wanted: argparse.Namespace) -> str:
    """A key that differs for every set of options that can change the results."""
    asked = {**asdict(options), "precision": wanted.precision, "weights": str(wanted.weights)}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
