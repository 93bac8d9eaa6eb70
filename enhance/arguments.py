"""The command's arguments; those that are options follow from `OPTIONS`."""

import argparse
import os
from pathlib import Path
from typing import Any, get_args

from enhance.jobs.sources import Shard
from enhance.option_spec import number
from enhance.options import OLD_NAMES, OPTIONS, DeviceName, Options, Precision, Setup
from enhance.version import VERSION

_TREES = (
    "in a folder and all of its subfolders. SRC and OUT are local folders or URLs such as "
    "s3://bucket/photos."
)
_DESCRIPTIONS = {
    "": "Restore faces and enlarge photos.",
    "run": f"Enhance the photos {_TREES} Run the same command again to finish an interrupted run.",
    "watch": f"Enhance the photos that appear {_TREES} A photo is taken once its size and time "
    "stay the same. Goes on until it is stopped; started again, it does what is left.",
}
_OTHERS = (
    "Folder trees and object stores: %(prog)s run --help. What photos need: %(prog)s look --help. "
    "In the page: %(prog)s open --help. Models: %(prog)s models, %(prog)s fetch --help."
)


def photos_parser(command: str = "") -> argparse.ArgumentParser:
    """For `enhance PHOTO_OR_FOLDER... -o OUT`, or with "run" or "watch" for `enhance run SRC -o
    OUT` or `enhance watch SRC -o OUT`."""
    parser = argparse.ArgumentParser(
        prog=f"enhance {command}".rstrip(),
        description=_DESCRIPTIONS[command],
        epilog=None if command else _OTHERS,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(command=command)
    add = parser.add_argument
    if command:
        whole = "folder with the photos; hidden files and folders are skipped"
        out = "folder for the results, with the same subfolders"
        add("source", metavar="SRC", help=whole)
        part = "process the I-th of N parts, so that N machines can share the photos"
        add("--shard", type=Shard.parse, default=Shard(), metavar="I/N", help=part)
    else:
        out = "folder or URL for the results"
        add("--version", action="version", version=f"enhance {VERSION}")
        add("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER", help="what to enhance")
    add("-o", "--out", required=True, metavar="OUT", help=out)
    if command == "watch":
        often = "how often to look into SRC"
        add("--every", type=_seconds, default=10, metavar="SECONDS", help=often)
        turn = "end after one turn: look twice, and do what stayed the same; for cron"
        add("--once", action="store_true", help=turn)
    else:
        again = "also redo photos that an earlier run has finished with the same options"
        add("--overwrite", action="store_true", help=again)
    add("--json", action="store_true", help="print one JSON object per photo, then the counts")
    add("-q", "--quiet", action="store_true", help="print failures only")
    add("-v", "--verbose", action="store_true", help="log every step")
    _add_options(parser)
    return parser


def options_of(arguments: argparse.Namespace) -> Options:
    """The options among the arguments. Raises OptionsError."""
    names = OPTIONS.keys() | OLD_NAMES.keys()
    return Options(**{name: said for name, said in vars(arguments).items() if name in names})


def setup_of(arguments: argparse.Namespace) -> Setup:
    """What to load, among the arguments."""
    return Setup(arguments.device, arguments.precision, arguments.weights)


def add_setup(parser: argparse._ActionsContainer, weights: str) -> None:
    """Add the arguments that say what to load. weights: what is said about that argument."""
    usual = Setup()
    parser.add_argument("--device", choices=get_args(DeviceName), default=usual.device)
    parser.add_argument("--precision", choices=get_args(Precision), default=usual.precision)
    parser.add_argument("--weights", type=Path, metavar="PATH", help=weights)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options, and what to load."""
    group = parser.add_argument_group("options")
    add = group.add_argument
    for name, spec in OPTIONS.items():
        values: dict[str, Any] = {"type": str if spec.most is None else number}
        if isinstance(spec.default, bool):
            values = {"action": argparse.BooleanOptionalAction}
        elif spec.values:
            values = {"choices": spec.values}
        told = spec.description.replace("%", "%%")
        add(_flag(name), default=spec.default, help=told, **values)
    for old in OLD_NAMES:
        add(_flag(old), default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add_setup(group, "a weight file, or a folder that is searched first")
    add(
        "--download",
        action="store_true",
        default=os.environ.get("ENHANCE_DOWNLOAD") == "1",
        help="first download the weights that the options need (same as ENHANCE_DOWNLOAD=1)",
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 86400 seconds.")
    return seconds
