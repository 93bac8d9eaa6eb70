"""The command's arguments; those that are options follow from `Options`."""

from __future__ import annotations

import argparse
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from enhance.jobs.sources import Shard
from enhance.options import DeviceName, Options, Precision, Setup
from enhance.version import VERSION

_HELP = {
    "upscale": "final size relative to the photo, 0.25 to 4",
    "longer_side": "length of the result's longer side in pixels; 0: as --upscale says",
    "restorer": "face model",
    "weight": "0: original faces, 1: restored faces",
    "background": "how the rest is enlarged; auto: realesrgan on a GPU, on a CPU "
    "realesr-general-x4v3 if its weights are there, else compact",
    "background_weight": "0: original background, 1: cleaned background",
    "working_size": "auto: realesrgan works on blurry parts of a photo at a half or a third of "
    "their size",
    "face_colours": "colours of restored faces: the photo's or the model's",
    "repair": "auto: find scratches, creases, dust and specks, and fill them in",
    "repair_sensitivity": "0: repair only what is certainly damage, 1: what is likely to be",
    "fill": "what fills in damage; auto: a LaMa of the models folder for wide damage, else opencv",
    "tone": "auto: undo the fading and the colour cast of old prints",
    "tone_strength": "0: colours as they are, 1: their fading undone",
    "colorize": "how strong the colours are that grey photos get from a DDColor of the models "
    "folder, 0..1",
    "face_threshold": "how confident the detector must be, 0..1",
    "faces": "which faces to restore",
    "only_restore_blurred": "skip faces that are already sharp",
    "detector": "finds faces",
    "masker": "blends the restored faces in",
    "min_face": "smallest face, in pixels",
    "tile": "tile size in pixels; smaller tiles need less memory",
    "format": "format of the results; same: that of each photo",
    "quality": "quality of JPEG, WebP, HEIC and AVIF, 1..100",
    "metadata": "EXIF, XMP and IPTC; no-location: everything but where the photo was taken",
    "name": "pattern for the results' names, without extension; may contain {stem}, {index}, "
    "{upscale}, {restorer}, {background}",
}


def photos_parser() -> argparse.ArgumentParser:
    """For `enhance PHOTO_OR_FOLDER... -o OUT`."""
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
    _add_shared(parser)
    return parser


def run_parser() -> argparse.ArgumentParser:
    """For `enhance run SRC -o OUT`."""
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
    _add_shared(parser)
    return parser


def options_of(arguments: argparse.Namespace) -> Options:
    """The options among the arguments. Raises OptionsError."""
    return Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})


def _add_shared(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that both commands share."""
    add = parser.add_argument_group("options").add_argument
    default, setup, choices = Options(), Setup(), Options.choices()
    for name, words in _HELP.items():
        value = getattr(default, name)
        kind: dict[str, Any] = {"type": type(value), "default": value}
        if name in choices:
            kind = {"choices": choices[name], "default": value}
        elif isinstance(value, bool):
            kind = {"action": "store_true"}
        elif name == "upscale":
            kind["type"] = _factor
        add(f"--{name.replace('_', '-')}", help=words, **kind)
    add("--device", choices=get_args(DeviceName), default=setup.device)
    add("--precision", choices=get_args(Precision), default=setup.precision)
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


def _factor(text: str) -> float:
    """A number, of the type int if it is whole, so that 2 and 2.0 are the same option."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is not of the form I/N; the second of eight parts is 2/8."
        ) from None
