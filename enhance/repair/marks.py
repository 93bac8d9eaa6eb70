"""A photo's marks, which say what is repaired: as a small picture, and changed with a brush."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from enhance.records import Mask

_COLOUR, _OPACITY = (255, 32, 96), 210  # how a browser shows marks over the photo


@dataclass(frozen=True)
class Stroke:
    """A line drawn with a brush.

    points: (x, y) in pixels of the photo, at least one. width: of the brush, in the same pixels.
    on: it marks what it covers, rather than removing marks.
    """

    points: tuple[tuple[float, float], ...]
    width: float
    on: bool


def brushed(mask: Mask, strokes: Iterable[Stroke]) -> Mask:
    """A copy of the marks (h, w), changed by the strokes in their order."""
    changed = mask.astype(np.uint8)
    for stroke in strokes:
        corners = np.rint([*stroke.points, stroke.points[-1]]).astype(np.int32)  # a dot has two
        cv2.polylines(changed, [corners], False, int(stroke.on), max(1, round(stroke.width)))
    return changed.view(np.bool_)  # type: ignore[return-value]


def as_picture(mask: Mask) -> bytes:
    """The marks as a PNG of one bit per pixel, transparent elsewhere."""
    image = Image.fromarray(mask.view(np.uint8), "P")
    image.putpalette([0, 0, 0, *_COLOUR])
    file = io.BytesIO()
    image.save(file, "PNG", bits=1, transparency=bytes([0, _OPACITY]))
    return file.getvalue()


def from_picture(picture: bytes) -> Mask:
    """The inverse of `as_picture`; only for what that has made."""
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image) == 1
