"""Measures how sharp an aligned face is: how far it can be shrunk without losing detail."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.faces.geometry import CROP
from enhance.records import FloatArray

# Sizes to which a crop may be shrunk; below 128 the network invents rather than restores.
_WORKING_EDGES = (128, 160, 192, 256)
SMALLEST_EDGE = _WORKING_EDGES[0]
"""The size to which every crop is shrunk when speed matters more than quality."""
_DETAIL_LOSS = 0.02  # largest error after shrinking to ignore, relative to the crop's contrast


def working_edge(crop: FloatArray) -> int:
    """The size to which a crop (512, 512, 3; 0..1) can be shrunk before it loses real detail.

    Noise does not count as detail; it is smoothed away first.
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
    """Whether a crop (512, 512, 3; 0..1) is already sharp: it needs the largest working size."""
    return working_edge(crop) == _WORKING_EDGES[-1]
