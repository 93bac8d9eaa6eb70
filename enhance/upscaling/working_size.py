"""How much real detail a photo holds, and how far it may be shrunk without losing any."""

from __future__ import annotations

import cv2

from enhance.records import FloatArray

# Shrinking by a factor is allowed up to this gain of energy into the band that it takes away. On
# photos that were enlarged by the factor the gain is at most the limit, with grain or a print
# raster over them too; on sharp photos it is from 0.23 (2) and 0.18 (3) up to 1.7.
_WORKING_SCALES = ((3, 0.13), (2, 0.2))
_BLOCK = 12  # pixels; energy is compared in squares of this size
_EVEN = 0.4  # deviation of the squares' energy over its mean; less is noise alone, or nothing
_SMALLEST_SIDE = 48  # below it there are too few squares to compare


def working_scale(rgb: FloatArray) -> int:
    """By how much an upscaled, soft picture (h, w, 3; 0..1) can be shrunk: 3, 2 or 1 (not at all).

    Real detail in a band of frequencies grows where the next coarser band is strong: an edge is
    one at every scale. Grain, noise and print raster lie everywhere alike. So the slope of fine
    over coarse energy tells detail from noise, which only raises its intercept.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if min(grey.shape) < _SMALLEST_SIDE:
        return 1
    for scale, limit in _WORKING_SCALES:
        if _energy_slope(grey, scale) <= limit:
            return scale
    return 1


def _energy_slope(grey: FloatArray, scale: int) -> float:
    """How much the energy that shrinking by `scale` loses grows with that of the octave below."""
    height, width = (side // (2 * scale) * 2 * scale for side in grey.shape)
    small = _shrunk(grey[:height, :width], scale)
    smaller = _shrunk(small, 2)
    blocks = max(1, width // _BLOCK), max(1, height // _BLOCK)
    fine, coarse = (
        cv2.resize(
            (sharp - cv2.resize(soft, sharp.shape[::-1], interpolation=cv2.INTER_CUBIC)) ** 2,
            blocks,
            interpolation=cv2.INTER_AREA,
        )
        for sharp, soft in ((grey[:height, :width], small), (small, smaller))
    )
    if coarse.std() <= _EVEN * coarse.mean():
        return 0.0
    covariance = ((fine - fine.mean()) * (coarse - coarse.mean())).mean()
    return float(covariance / coarse.var())


def _shrunk(grey: FloatArray, scale: int) -> FloatArray:
    size = grey.shape[1] // scale, grey.shape[0] // scale
    return cv2.resize(grey, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
