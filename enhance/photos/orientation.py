"""Turns photos upright."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from enhance.records import Pixels

ORIENTATION = 0x0112
"""The EXIF and TIFF tag that says how the pixels must be turned for display."""

_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}


def orientation_of(tags: Image.Exif) -> int:
    """The EXIF orientation, 1 to 8; 1 means upright."""
    value = tags.get(ORIENTATION, 1)
    return value if value in _TURNS else 1


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """The pixels (h, w[, c]) turned upright."""
    turned = _TURNS.get(orientation)
    return np.ascontiguousarray(turned(pixels)) if turned else pixels
