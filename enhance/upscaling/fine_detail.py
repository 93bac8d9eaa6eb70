"""Keeps a photo's own fine detail where a network would smooth it away.

What a network removes is noise and, at times, fur, grass and fabric. The difference between the
photo and the result is cut into bands of frequency; in each, what is stronger around a pixel than
the photo's noise is detail and is put back (a local Wiener filter: Lee 1980, over the à trous
transform of Starck and Murtagh 1998). So a clean photo passes with all its detail, and a noisy one
is cleaned.
"""

import cv2
import numpy as np

from enhance.photos.pixels import add, brightness, unit
from enhance.photos.pixels import bands as strips
from enhance.records import FloatArray, Pixels
from enhance.upscaling.noise import Noise, bands

_REACH = 24  # pixels on each side that a pixel's correction depends on
_STRIP = 500_000  # photo pixels corrected at once; each takes some 200 bytes meanwhile
_AROUND = 7  # pixels; a band's energy is averaged over so many, across and down
_NOISY = 2.0  # times the noise's energy; what is below it is noise


def keep_fine_detail(canvas: Pixels, rgb: Pixels) -> None:
    """Give an enlarged photo the fine detail that it has lost, in place.

    canvas: (s·h, s·w, 3), rgb: (h, w, 3), both uint8 or both uint16.
    """
    height, width = rgb.shape[:2]
    scale = canvas.shape[1] // width
    noise = Noise(rgb)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    for rows in strips(height, width, _STRIP):
        seen = slice(max(0, rows.start - _REACH), min(height, rows.stop + _REACH))
        lost = _lost(unit(rgb[seen]), unit(small[seen]), noise)
        size = width * scale, lost.shape[0] * scale
        lost = cv2.resize(lost, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
        lost *= np.iinfo(canvas.dtype).max
        strip = canvas[rows.start * scale : rows.stop * scale]
        above = (rows.start - seen.start) * scale
        add(strip, lost[above : above + strip.shape[0]])


def _lost(photo: FloatArray, small: FloatArray, noise: Noise) -> FloatArray:
    """What the photo holds beyond the result, brought to its size, and beyond its noise."""
    lost = np.zeros_like(photo)
    levels = noise.around(brightness(photo))
    for band, level in zip(bands(photo - small), levels, strict=True):
        energy = cv2.blur(brightness(band * band), (_AROUND, _AROUND))
        detail = np.maximum(1 - _NOISY * level**2 / (energy + 1e-12), 0)
        cv2.accumulateProduct(band, cv2.merge([detail] * 3), lost)
    return lost
