"""The command `look`: what photos need, without enhancing them."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from enhance.errors import EnhanceError
from enhance.jobs.console import printable
from enhance.jobs.sources import named
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.photos import DECODER
from enhance.pipeline.findings import look
from enhance.pipeline.needs import decide
from enhance.records import Source

_COLUMNS = ("noise", "blocks", "detail", "damage", "faded", "faces")
_ROW = "{:>6.1f} {:>6.1f} {:>6.2f} {:>8.2%} {:>6.0%} {:>5}"


def main(arguments: Sequence[str]) -> int:
    """`look PHOTO_OR_FOLDER...`. Returns the exit code: 0, or 1 if a photo cannot be read."""
    parser = argparse.ArgumentParser(
        prog="enhance look",
        description="Say what is found in photos and what they need, without enhancing them. "
        "noise, blocks: of noise and of compression, in gray levels; detail: below 0.2 in blurry "
        "photos; damage: share of the photo; faded: how certain that is.",
    )
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO_OR_FOLDER")
    parser.add_argument("--json", action="store_true", help="print one JSON object per photo")
    wanted = parser.parse_args(arguments)
    from enhance.pipeline.build import ResidentModels  # imports torch

    models, limits, failed = ResidentModels(Setup(device="cpu")), Limits(), False
    try:
        photos = named(wanted.photos)
    except OSError as error:
        parser.error(f"the photos cannot be listed: {error}.")
    if not wanted.json:
        print("{:>6} {:>6} {:>6} {:>8} {:>6} {:>5}".format(*_COLUMNS), " photo: what it needs")
    for entry in photos.entries:
        try:
            photo = DECODER(Source(Path(entry.source), entry.name), limits)
            seen = look(photo, models, lambda: None)
        except (EnhanceError, OSError) as error:
            print(printable(f"failed: {error}"), file=sys.stderr)
            failed = True
            continue
        name = entry.name
        _, reasons = decide(Options(), seen, photo.size)
        if wanted.json:
            print(json.dumps({"name": name, "findings": asdict(seen), "reasons": reasons}))
        else:
            values = [getattr(seen, column) for column in _COLUMNS[:-1]]
            row = _ROW.format(*values, len(seen.faces))
            print(row, "", printable(f"{name}: {' '.join(reasons.values())}"))
    return int(failed)
