"""Keeps a photo's own fine detail where a network would smooth it away.

What a network removes is noise and, at times, fur, grass and fabric. The difference between the
photo and the result is cut into bands of frequency; in each, what rises above the photo's noise is
detail and is put back (wavelet shrinkage by the garrote: Gao 1998, over the à trous transform of
Starck and Murtagh 1998). So a clean photo passes with all its detail, and a noisy one is cleaned.
"""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import FloatArray, Pixels

_BANDS = 3  # of one octave each, the finest first; coarser detail survives any network
_SPLINE = np.array([1, 4, 6, 4, 1], np.float32) / 16
_SMOOTH = 4.0  # pixels; brightness is averaged over so much
_REACH = 24  # pixels on each side that a pixel's correction depends on
_STRIP = 1_000_000  # photo pixels corrected at once
_WINDOW, _ACROSS = 512, 3  # noise is measured in so large windows, so many across and down
_BLOCK = 8  # pixels; noise is measured in squares of this size
_CALM = 5  # percentile: so many of the squares are taken to hold noise alone
_TONES = 6  # the noise is measured for so many ranges of brightness, each with as many squares
_UNEVEN = 2.0  # so many times the usual noise may be at a brightness, at most
_THRESHOLD = 2.5  # times the noise; what is below it is noise
_GRID = 8  # pixels; JPEG compresses squares of this size
_RINGING = 4.0  # noise of the finest band near edges, per step of brightness at that grid
_NORMAL = float(np.sqrt(np.pi / 2))  # standard deviation of normal noise, per mean deviation
_UNBIASED = 1.2  # the calmest squares have less noise than the others


class Noise:
    """How strong a photo's noise is, in each band and for each brightness."""

    def __init__(self, rgb: Pixels) -> None:
        """Measure it in a photo, (h, w, 3)."""
        photo = _sample(rgb)
        gray = photo.mean(2)
        ringing = _RINGING * blockiness(gray)
        means = _squares(gray)
        order = np.argsort(means, axis=None)
        self._tones: list[float] = []
        levels: list[list[float]] = []
        bands = [_squares(np.abs(band).mean(2)) for band in _bands(photo)]
        for some in np.array_split(order, min(_TONES, order.size)):
            self._tones.append(float(means.flat[some].mean()))
            calm = [np.percentile(band.flat[some], _CALM) for band in bands]
            levels.append([_NORMAL * _UNBIASED * float(level) for level in calm])
        found = np.minimum(levels, _UNEVEN * np.median(levels, axis=0))  # nothing calm: all detail
        floor = [ringing / 2**band for band in range(_BANDS)]
        self._levels = np.maximum(found, floor).astype(np.float32)

    def at(self, tones: FloatArray, band: int) -> FloatArray:
        """Its standard deviation in one band where the photo is as bright as `tones`."""
        values = np.interp(tones, self._tones, self._levels[:, band])
        return values.astype(np.float32)


def keep_fine_detail(canvas: Pixels, rgb: Pixels) -> None:
    """Give an enlarged photo the fine detail that it has lost, in place.

    canvas: (s·h, s·w, 3), rgb: (h, w, 3), both uint8 or both uint16.
    """
    height, width = rgb.shape[:2]
    scale = canvas.shape[1] // width
    noise = Noise(rgb)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    for rows in bands(height, width, _STRIP):
        seen = slice(max(0, rows.start - _REACH), min(height, rows.stop + _REACH))
        lost = _lost(unit(rgb[seen]), unit(small[seen]), noise)
        size = width * scale, lost.shape[0] * scale
        lost = cv2.resize(lost, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
        strip = canvas[rows.start * scale : rows.stop * scale]
        above = (rows.start - seen.start) * scale
        strip[:] = from_unit(unit(strip) + lost[above : above + strip.shape[0]], canvas.dtype)


def _lost(photo: FloatArray, small: FloatArray, noise: Noise) -> FloatArray:
    """What the photo holds beyond the result, brought to its size, and beyond its noise."""
    tones = cv2.GaussianBlur(photo.mean(2), (0, 0), _SMOOTH)
    lost = np.zeros_like(photo)
    for number, band in enumerate(_bands(photo - small)):
        threshold = _THRESHOLD * noise.at(tones, number)[..., None]
        lost += band * np.maximum(1 - threshold**2 / (band**2 + 1e-12), 0)
    return lost


def _sample(rgb: Pixels) -> FloatArray:
    """A photo in 0..1; of a large one only windows, one below the other."""
    places = product(*map(_windows, rgb.shape[:2]))
    return unit(np.vstack([rgb[place] for place in places]))


def _windows(length: int) -> list[slice]:
    """Where the windows lie along a side, on JPEG's grid; a short side is one window."""
    if length <= _ACROSS * _WINDOW:
        return [slice(0, length)]
    step = (length - _WINDOW) // (_ACROSS - 1) // _GRID * _GRID
    return [slice(i * step, i * step + _WINDOW) for i in range(_ACROSS)]


def _bands(x: FloatArray) -> list[FloatArray]:
    """The finest octaves of a picture, as deep as `_BANDS`."""
    found = []
    for band in range(_BANDS):
        kernel = np.zeros(4 * 2**band + 1, np.float32)
        kernel[:: 2**band] = _SPLINE
        smooth = cv2.sepFilter2D(x, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
        found.append(x - smooth)
        x = smooth
    return found


def _squares(x: FloatArray) -> FloatArray:
    """Means of squares of `_BLOCK` pixels."""
    size = tuple(max(1, side // _BLOCK) for side in x.shape[::-1])
    return cv2.resize(x, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def blockiness(gray: FloatArray) -> float:
    """By how much neighboring pixels (h, w) differ more at the borders of JPEG's squares than
    elsewhere, in their unit.

    After Wang, Bovik and Evans (2000). The squares may begin anywhere, because photos are cropped.
    """
    excess = []
    for picture in (gray, gray.T):
        jumps = np.abs(np.diff(picture, axis=1)).mean(0)
        count = len(jumps) // _GRID
        if count < 2:
            return 0.0
        *others, most = np.sort(np.median(jumps[: count * _GRID].reshape(count, _GRID), axis=0))
        excess.append(float(most - np.mean(others)))
    return min(excess)
