"""Measures how far a blurry photo can be shrunk without losing real detail."""

from __future__ import annotations

import cv2

from enhance.records import FloatArray

# (factor, limit): shrinking by a factor is allowed if the energy slope of the band that it removes
# is at most the limit. Photos that were enlarged by the factor stay within the limit, even with
# grain or a print raster over them; sharp photos have slopes from 0.23 (factor 2) and 0.18 (factor
# 3) up to 1.7.
_WORKING_SCALES = ((3, 0.13), (2, 0.2))
_BLOCK = 12  # pixels; energy is compared in squares of this size
_EVEN = 0.4  # relative deviation of the squares' energy; below this there is only noise, or nothing
_SMALLEST_SIDE = 48  # pixels; in smaller pictures there are too few squares to compare


def working_scale(rgb: FloatArray) -> int:
    """The factor by which a blurry, upscaled picture (h, w, 3; 0..1) can be shrunk: 3, 2 or 1.

    Real detail in one frequency band is strong where the next coarser band is strong, because an
    edge is an edge at every scale. Grain, noise and print raster are evenly spread. So the slope of
    fine over coarse energy measures detail, while noise only raises the intercept.
    """
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    if min(gray.shape) < _SMALLEST_SIDE:
        return 1
    for scale, limit in _WORKING_SCALES:
        if energy_slope(gray, scale) <= limit:
            return scale
    return 1


def energy_slope(gray: FloatArray, scale: int) -> float:
    """The slope of the energy lost by shrinking by `scale` over the energy of the octave below.

    gray: (h, w), each at least four times `scale`.
    """
    height, width = (side // (2 * scale) * 2 * scale for side in gray.shape)
    small = _shrunk(gray[:height, :width], scale)
    smaller = _shrunk(small, 2)
    blocks = max(1, width // _BLOCK), max(1, height // _BLOCK)
    fine, coarse = (
        cv2.resize(
            (sharp - cv2.resize(soft, sharp.shape[::-1], interpolation=cv2.INTER_CUBIC)) ** 2,
            blocks,
            interpolation=cv2.INTER_AREA,
        )
        for sharp, soft in ((gray[:height, :width], small), (small, smaller))
    )
    if coarse.std() <= _EVEN * coarse.mean():
        return 0.0
    covariance = ((fine - fine.mean()) * (coarse - coarse.mean())).mean()
    return float(covariance / coarse.var())


def _shrunk(gray: FloatArray, scale: int) -> FloatArray:
    size = gray.shape[1] // scale, gray.shape[0] // scale
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
