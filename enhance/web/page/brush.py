"""Marks that a person changes in the viewer: what it sends is checked, as anyone can send it."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

from enhance.errors import OptionsError
from enhance.options import Options
from enhance.repair.marks import Stroke, as_picture, brushed, from_picture
from enhance.web.batches.entries import Entry, Version, saving

_POINTS = 20_000  # of all strokes together
_FARTHEST = 1_000_000  # pixels of the photo
_WIDEST = 1000  # pixels of the photo
_LARGEST = 2e9  # pixels that all strokes cover; thirty times the largest photo


def remarked(entry: Entry, version: Version, sent: dict[str, Any]) -> Options:
    """Change the marks of a photo with the strokes that were sent, or have damage found anew at the
    sensitivity that was sent. Returns the options to enhance the photo with again: the version's.

    version: with marks. Raises EnhanceError if what was sent cannot be used.
    """
    assert version.marks is not None
    if "strokes" in sent:
        scale = version.report.source_size[0] / version.report.output_size[0]
        strokes = strokes_of(sent["strokes"], scale)
        with saving(entry.source.name):
            marks = from_picture(version.marks.read_bytes())
        entry.marks = as_picture(brushed(marks, strokes))
        return version.options
    wanted: Any = sent.get("sensitivity")  # which the options check
    options = replace(version.options, repair="on", repair_sensitivity=wanted)
    entry.marks = None
    return options


def strokes_of(sent: object, scale: float) -> list[Stroke]:
    """The strokes that a browser sent: a list of {points: "x,y x,y …", width, on}, in whole pixels
    of the result. scale: of the photo relative to the result.

    Raises OptionsError if they are anything else, or too many.
    """
    try:
        strokes = [_stroke(one, scale) for one in sent]  # type: ignore[attr-defined]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        strokes = []
    points, covered = sum(len(stroke.points) for stroke in strokes), 0.0
    for stroke in strokes:  # roughly, what is outside of the photo or drawn twice included
        length = sum(math.dist(a, b) for a, b in pairwise(stroke.points))
        covered += (length + stroke.width) * stroke.width
    if not strokes or points > _POINTS or covered > _LARGEST:
        raise OptionsError("These marks cannot be used. Draw fewer of them at once.")
    return strokes


def _stroke(sent: dict[str, object], scale: float) -> Stroke:
    width = sent["width"]
    if not isinstance(width, int | float) or not 0 < width * scale <= _WIDEST:
        raise ValueError("not a brush")
    points = []
    for text in str(sent["points"]).split():
        x, y = (int(value) * scale for value in text.split(","))
        if max(abs(x), abs(y)) > _FARTHEST:
            raise ValueError("far outside of any photo")
        points.append((x, y))
    if not points:
        raise ValueError("nothing is drawn")
    return Stroke(tuple(points), width * scale, bool(sent["on"]))
