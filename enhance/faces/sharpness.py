"""How sharp an aligned face is, and how far it may be shrunk without losing detail."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.faces.geometry import CROP
from enhance.records import FloatArray

# What a crop may be shrunk to; below 128 the network invents rather than restores.
_WORKING_EDGES = (128, 160, 192, 256)
SMALLEST_EDGE = _WORKING_EDGES[0]
"""What any crop may be shrunk to when it must be quick."""
_DETAIL_LOSS = 0.02  # error after shrinking, relative to the crop's contrast, that is still none


def working_edge(crop: FloatArray) -> int:
    """The size to which a crop (512, 512, 3; 0..1) can be shrunk before it loses real detail.

    Noise is no detail: it is smoothed away before measuring.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[64:-64, 64:-64]
    grey = cv2.GaussianBlur(np.asarray(grey), (0, 0), 1.5)
    allowed = _DETAIL_LOSS * float(grey.std())
    for edge in _WORKING_EDGES[:-1]:
        part = round(edge * grey.shape[0] / CROP)
        small = cv2.resize(grey, (part, part), interpolation=cv2.INTER_AREA)
        back = cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_CUBIC)
        if float(np.sqrt(np.mean((back - grey) ** 2))) <= allowed:
            return edge
    return _WORKING_EDGES[-1]


def is_sharp(crop: FloatArray) -> bool:
    """Whether a crop (512, 512, 3; 0..1) needs the largest working size, so is sharp already."""
    return working_edge(crop) == _WORKING_EDGES[-1]
