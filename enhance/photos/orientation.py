"""Photos the right way up."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from enhance.records import Pixels

ORIENTATION = 0x0112
"""The EXIF and TIFF tag that says how the pixels must be turned to be seen."""

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
    """1 to 8, as EXIF counts; 1 means upright."""
    value = tags.get(ORIENTATION, 1)
    return value if value in _TURNS else 1


def turn(pixels: Pixels, orientation: int) -> Pixels:
    """The pixels (h, w[, c]) turned the way they should be seen."""
    turned = _TURNS.get(orientation)
    return np.ascontiguousarray(turned(pixels)) if turned else pixels
