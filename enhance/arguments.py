"""The command's arguments; those that are options follow from `OPTIONS`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from enhance.jobs.pool import add_setup
from enhance.jobs.sources import Shard
from enhance.option_spec import OptionSpec, number
from enhance.options import OLD_NAMES, OPTIONS, Options
from enhance.version import VERSION

_TREES = (
    "in a folder and all of its subfolders. SRC and OUT are local folders or URLs such as "
    "s3://bucket/photos."
)


def photos_parser() -> argparse.ArgumentParser:
    """For `enhance PHOTO_OR_FOLDER... -o OUT`."""
    parser = argparse.ArgumentParser(
        prog="enhance",
        description="Restore faces and enlarge photos.",
        epilog="Folder trees and object stores: %(prog)s run --help. What photos need: "
        "%(prog)s look --help. In the page: %(prog)s open --help. Models: %(prog)s models, "
        "%(prog)s fetch --help.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--version", action="version", version=f"enhance {VERSION}")
    add("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER", help="what to enhance")
    add("-o", "--out", required=True, metavar="OUT", help="folder or URL for the results")
    _add_shared(parser)
    _add_overwrite(parser)
    return parser


def run_parser() -> argparse.ArgumentParser:
    """For `enhance run SRC -o OUT`."""
    parser = argparse.ArgumentParser(
        prog="enhance run",
        description=f"Enhance the photos {_TREES} Run the same command again to finish an "
        "interrupted run.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_trees(parser)
    _add_shared(parser)
    _add_overwrite(parser)
    return parser


def watch_parser() -> argparse.ArgumentParser:
    """For `enhance watch SRC -o OUT`."""
    parser = argparse.ArgumentParser(
        prog="enhance watch",
        description=f"Enhance the photos that appear {_TREES} A photo is taken once its size and "
        "time stay the same. Goes on until it is stopped; started again, it does what is left.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_trees(parser)
    add = parser.add_argument
    add("--every", type=_seconds, default=10, metavar="SECONDS", help="how often to look into SRC")
    add(
        "--once",
        action="store_true",
        help="end after one turn: look twice, and do what stayed the same; for cron",
    )
    _add_shared(parser)
    return parser


def options_of(arguments: argparse.Namespace) -> Options:
    """The options among the arguments. Raises OptionsError."""
    names = OPTIONS.keys() | OLD_NAMES.keys()
    return Options(**{name: said for name, said in vars(arguments).items() if name in names})


def _add_trees(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say which photos of which folder to do."""
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


def _add_overwrite(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also redo photos that an earlier run has finished with the same options",
    )


def _add_shared(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that all commands share."""
    group = parser.add_argument_group("options")
    add = group.add_argument
    for name, spec in OPTIONS.items():
        add(
            _flag(name),
            default=spec.default,
            help=spec.description.replace("%", "%%"),
            **_kind(spec),
        )
    for old in OLD_NAMES:
        add(_flag(old), default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_setup(group, "a weight file, or a folder that is searched first")
    add(
        "--download",
        action="store_true",
        default=os.environ.get("ENHANCE_DOWNLOAD") == "1",
        help="first download the weights that the options need (same as ENHANCE_DOWNLOAD=1)",
    )
    add = parser.add_argument
    add("--json", action="store_true", help="print one JSON object per photo, then the counts")
    add("-q", "--quiet", action="store_true", help="print failures only")
    add("-v", "--verbose", action="store_true", help="log every step")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _kind(spec: OptionSpec) -> dict[str, Any]:
    """What argparse is told about the values."""
    if isinstance(spec.default, bool):
        return {"action": argparse.BooleanOptionalAction}
    if spec.values:
        return {"choices": spec.values}
    return {"type": str if spec.most is None else number}


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds.")
    return seconds


def _shard(text: str) -> Shard:
    try:
        return Shard.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is not of the form I/N; the second of eight parts is 2/8."
        ) from None
