"""Arithmetic with arrays of pixels that several steps share."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import DTypeLike

from enhance.records import FloatArray, Pixels

_DEPTHS = {np.dtype(np.uint8): cv2.CV_8U, np.dtype(np.uint16): cv2.CV_16U}


def unit(pixels: Pixels) -> FloatArray:
    """uint8 or uint16 pixels as float32 in 0..1."""
    values = pixels.astype(np.float32)
    values /= np.float32(np.iinfo(pixels.dtype).max)
    return values


def from_unit(values: FloatArray, dtype: DTypeLike) -> Pixels:
    """The inverse of `unit` for uint8 or uint16: clipped to 0..1 and rounded."""
    top = np.iinfo(dtype).max
    scaled = values * np.float32(top)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, top, out=scaled).astype(dtype)


def add(pixels: Pixels, change: FloatArray) -> None:
    """Add to uint8 or uint16 pixels in place, rounded and clipped. change: in their unit."""
    cv2.add(pixels, change, pixels, dtype=_DEPTHS[pixels.dtype])


def brightness(rgb: FloatArray) -> FloatArray:
    """(h, w, 3) → the mean of the channels, (h, w). NumPy's own mean takes thirty times as long."""
    return cv2.transform(rgb, np.full((1, 3), 1 / 3, np.float32))


def to_8_bit(pixels: Pixels) -> Pixels:
    """uint16 pixels rounded to uint8; uint8 pixels as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    return cv2.convertScaleAbs(pixels, alpha=1 / 257)


def padded(values: FloatArray, multiple: int) -> FloatArray:
    """(h, w, c), extended at the bottom and right edges to multiples of `multiple`."""
    missing = [(0, -side % multiple) for side in values.shape[:2]]
    return np.pad(values, [*missing, (0, 0)], mode="edge")


def middle(pixels: Pixels, side: int) -> Pixels:
    """The middle of a picture (h, w, ...), at most `side` pixels high and wide."""
    rows, columns = (
        slice(max(0, length - side) // 2, (length + side) // 2) for length in pixels.shape[:2]
    )
    return pixels[rows, columns]


def bands(height: int, width: int, most: int) -> Iterator[slice]:
    """The rows of a picture in bands of at most `most` pixels, or of one row."""
    step = max(1, most // max(1, width))
    for top in range(0, height, step):
        yield slice(top, min(height, top + step))
