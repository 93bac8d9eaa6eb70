"""Arithmetic with arrays of pixels that several steps share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike

from enhance.records import FloatArray, Pixels


def unit(pixels: Pixels) -> FloatArray:
    """uint8 or uint16 pixels as float32 in 0..1."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def from_unit(values: FloatArray, dtype: DTypeLike) -> Pixels:
    """The inverse of `unit` for uint8 or uint16: clipped to 0..1 and rounded."""
    top = np.iinfo(dtype).max
    return np.rint(np.clip(values, 0, 1) * np.float32(top)).astype(dtype)


def to_8_bit(pixels: Pixels) -> Pixels:
    """uint16 pixels rounded to uint8."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def padded(values: FloatArray, multiple: int) -> FloatArray:
    """(h, w, c), extended at the bottom and right edges to multiples of `multiple`."""
    missing = [(0, -side % multiple) for side in values.shape[:2]]
    return np.pad(values, [*missing, (0, 0)], mode="edge")


def bands(height: int, width: int, most: int) -> Iterator[slice]:
    """The rows of a picture in bands of at most `most` pixels, or of one row."""
    step = max(1, most // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(height, top + step))
