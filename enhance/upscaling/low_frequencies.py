"""Keeps a photo's low frequencies, the colors and brightness of larger areas, unchanged.

Networks sometimes shift colors, or paint a smear where there was nothing. Both errors are low
frequencies, for which the photo itself is the best source.
"""

from collections.abc import Iterator

import cv2
import numpy as np

from enhance.photos.pixels import add, bands
from enhance.records import FloatArray, Pixels

_SIGMA = 8.0  # photo pixels; colors coarser than this are taken from the photo
_SHRINK = 4  # colors are compared at a quarter of the photo's size
_TOLERANCE = 1 / 255  # smaller differences are invisible and left as they are
_BAND = 4_000_000  # values corrected at once


def keep_low_frequencies(canvas: Pixels, rgb: Pixels) -> None:
    """Give an enlarged photo the low frequencies of the photo, in place.

    canvas: (s·h, s·w, 3), rgb: (h, w, 3), both uint8 or both uint16. Where they differ by at most
    one 8-bit gray level, the canvas stays exactly as it is; larger differences, such as shifted
    colors or a smear in plain dark cloth, are reduced to one level.
    """
    size = tuple(-(-side // _SHRINK) for side in rgb.shape[1::-1])
    top = np.iinfo(rgb.dtype).max
    small, wanted = (
        cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        for pixels in (canvas, rgb)
    )
    low = cv2.GaussianBlur(wanted - small, (0, 0), _SIGMA / _SHRINK)
    low -= np.clip(low, -top * _TOLERANCE, top * _TOLERANCE)
    if not low.any():
        return
    for rows, correction in _enlarged_by_bands(low, canvas.shape[1::-1]):
        if correction.any():
            add(canvas[rows], correction)


def _enlarged_by_bands(
    small: FloatArray, size: tuple[int, int]
) -> Iterator[tuple[slice, FloatArray]]:
    """`small` (h, w, 3) enlarged linearly to `size` (width, height), some rows at a time."""
    width, height = size
    for rows in bands(height, 3 * width, _BAND):
        at = (np.arange(rows.start, rows.stop) + 0.5) * (small.shape[0] / height) - 0.5
        at = at.clip(0, small.shape[0] - 1)
        above = at.astype(int)
        below = np.minimum(above + 1, small.shape[0] - 1)
        share = (at - above).astype(np.float32)[:, None, None]
        band = small[above] * (1 - share) + small[below] * share
        yield rows, cv2.resize(band, (width, band.shape[0]), interpolation=cv2.INTER_LINEAR)  # type: ignore[misc]
