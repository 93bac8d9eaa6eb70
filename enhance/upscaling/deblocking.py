"""Smooths the squares that strong compression leaves, before any network sees them.

Networks keep such squares, as if they were what the photo shows. Here the photo is compressed anew,
shifted against its squares in many ways, and the mean of all that has squares no more, while its
edges stay where all agree (Nosratinia 2001).
"""

import cv2
import numpy as np

from enhance.photos.pixels import add, bands, brightness, middle, to_8_bit, unit
from enhance.records import FloatArray, Pixels, StopCheck
from enhance.upscaling.noise import prominence

_PERIOD = 16  # pixels: the squares of JPEG's colors; those of its brightness are half as wide
_SHIFTS = [(i, 5 * i % _PERIOD) for i in range(_PERIOD)]  # evenly spread, also within half of that
# By how much the squares stand out, in gray levels, and the quality to compress with: better than
# what leaves such squares, as a worse one would blur.
_STAND_OUT, _QUALITY = (1.0, 1.5, 2.5, 3.5, 5.0), (95, 85, 65, 45, 25)
_PROMINENT = 1.25  # below, texture may pass for squares
_LOOKED = 1024  # pixels of each side, in the middle, where that is measured
_BAND = 2_000_000  # pixels compressed at once
_LONGEST = 65_000  # pixels of a side; JPEG allows few more


def deblocked(rgb: Pixels, blocks: float, stop_check: StopCheck) -> Pixels:
    """A copy of the photo (h, w, 3; uint8 or uint16) without squares; the same one if they hardly
    stand out. blocks: by how many gray levels they do, see `noise.blockiness`. `stop_check` is
    called often and may raise to stop."""
    if blocks < _STAND_OUT[0] or max(rgb.shape) > _LONGEST:
        return rgb
    if prominence(brightness(unit(middle(rgb, _LOOKED)))) < _PROMINENT:
        return rgb
    quality = round(np.interp(blocks, _STAND_OUT, _QUALITY))
    smooth = rgb.copy()
    height, width = rgb.shape[:2]
    for rows in bands(height, width, _BAND):
        stop_check()
        above, below = (min(_PERIOD, side) for side in (rows.start, height - rows.stop))
        seen = to_8_bit(rgb[rows.start - above : rows.stop + below])
        change = _mean(seen, quality) - seen
        change *= np.iinfo(rgb.dtype).max / 255
        add(smooth[rows], change[above : change.shape[0] - below])
    return smooth


def _mean(rgb: Pixels, quality: int) -> FloatArray:
    """The mean of a picture compressed with each shift, (h, w, 3) float32 in 0..255."""
    height, width = rgb.shape[:2]
    around = (_PERIOD, _PERIOD)
    wide = np.pad(rgb[..., ::-1], [around, around, (0, 0)], "symmetric")
    total = np.zeros(rgb.shape, np.uint16)  # in OpenCV's order of channels
    for down, right in _SHIFTS:
        part = np.ascontiguousarray(
            wide[down : down + height + _PERIOD, right:][:, : width + _PERIOD]
        )
        _, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, quality])
        again = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        top, left = _PERIOD - down, _PERIOD - right
        total += again[top : top + height, left : left + width]
    return total[..., ::-1] / np.float32(len(_SHIFTS))
