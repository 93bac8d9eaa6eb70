"""How noisy and how compressed a photo is."""

from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np

from enhance.photos.pixels import brightness, from_unit, unit
from enhance.records import FloatArray, Pixels

BANDS = 3
"""Octaves of fine detail, the finest first; coarser detail survives any network."""

_SPLINE = np.array([1, 4, 6, 4, 1], np.float32) / 16
_WINDOW, _ACROSS = 512, 3  # noise is measured in so large windows, so many across and down
_BLOCK = 8  # pixels, or coefficients; noise is measured in squares of this size
_CALM = 10  # percentile of the squares that are taken to show nothing but noise
_CALMEST = 5  # the same, among squares of the same brightness
_TONES = 6  # the noise is measured for so many ranges of brightness, each with as many squares
_UNEVEN = 2.0  # so many times the usual noise may be at a brightness, at most
_NONE = 1.0  # gray levels; nobody sees so little noise, nor such steps between JPEG's squares
_OCTAVES = 2  # noise of single pixels, and grain twice as coarse
# Standard deviation of a square's coefficients over that of noise with their median: noise is
# normally distributed and has at most 1.35, JPEG's rounding included; leaves and grass have more.
_TAILS = 1.4
_NORMAL = 0.6745  # median of the absolute values of a normal distribution of sigma 1
_GRID = 8  # pixels; JPEG compresses squares of this size
_RINGING = 4.0  # noise of the finest band at edges, per step of brightness at that grid
_EDGE, _BESIDE = 100 / 255, 9  # an edge is so much contrast within so many pixels across and down
_SMOOTH = 4.0  # pixels; brightness is averaged over so much
_DEVIATION = float(np.sqrt(np.pi / 2))  # standard deviation of normal noise, per mean deviation
_UNBIASED = 1.2  # the calmest squares have less noise than the others


class Noise:
    """How strong a photo's noise is, in each band and for each brightness."""

    def __init__(self, rgb: Pixels) -> None:
        """Measure it in a photo, (h, w, 3)."""
        photo = _sample(rgb)
        gray = brightness(photo)
        blocks = blockiness(gray)
        self._tones, self._usual = [0.5], np.zeros((1, BANDS))
        if max(noise(255 * gray), 255 * blocks) >= _NONE:  # else fur or grass would pass for noise
            self._tones, self._usual = _by_tone(photo, gray)
        self._ringing = _RINGING * blocks

    def around(self, gray: FloatArray) -> Iterator[FloatArray]:
        """Its standard deviation at each pixel of a part of the photo, (h, w), band by band.

        What JPEG adds lies beside edges, so that skin keeps its texture.
        """
        tones = from_unit(cv2.GaussianBlur(gray, (0, 0), _SMOOTH), np.uint8)
        square = np.ones((_BESIDE, _BESIDE), np.uint8)
        contrast = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, square)
        ringing = np.minimum(contrast / _EDGE, 1) * self._ringing
        for band in range(BANDS):
            table = np.interp(np.linspace(0, 1, 256), self._tones, self._usual[:, band])
            usual = cv2.LUT(tones, table.astype(np.float32))
            yield np.maximum(usual, ringing / 2**band)


def _by_tone(photo: FloatArray, gray: FloatArray) -> tuple[list[float], FloatArray]:
    """Ranges of brightness, 0..1, and the noise of their calmest squares in each band."""
    means = _squares(gray)
    order = np.argsort(means, axis=None)
    tones: list[float] = []
    levels: list[list[float]] = []
    found = [_squares(brightness(np.abs(band))) for band in bands(photo)]
    for some in np.array_split(order, min(_TONES, order.size)):
        tones.append(float(means.flat[some].mean()))
        calm = [np.percentile(band.flat[some], _CALMEST) for band in found]
        levels.append([_DEVIATION * _UNBIASED * float(level) for level in calm])
    return tones, np.minimum(levels, _UNEVEN * np.median(levels, axis=0))  # nothing calm: detail


def noise(gray: FloatArray) -> float:
    """The standard deviation of the noise in a picture (h, w; 0..255), in gray levels.

    Donoho and Johnstone (1994) take the median of the finest diagonal wavelet coefficients: few of
    them belong to edges. Grass has many edges, so here that is done in squares, of which the
    calmest count; if even those have edges, which are few but strong, they show no noise. A copy of
    half the size shows the grain of film in the same way.
    """
    found = 0.0
    for _ in range(_OCTAVES):
        height, width = (side // (2 * _BLOCK) * 2 * _BLOCK for side in gray.shape)
        if not height or not width:
            break
        a, b, c, d = (gray[i:height:2, j:width:2] for i in (0, 1) for j in (0, 1))
        diagonal = np.abs(a - b - c + d) / 2
        squares = diagonal.reshape(height // 2 // _BLOCK, _BLOCK, width // 2 // _BLOCK, _BLOCK)
        sigmas = np.median(squares, axis=(1, 3)) / _NORMAL
        sigma = float(np.percentile(sigmas, _CALM))
        calm = sigmas <= sigma
        spread = np.sqrt(np.square(squares).mean(axis=(1, 3)))
        if np.mean(spread[calm] <= _TAILS * sigmas[calm]) >= 0.5:
            found = max(found, sigma)
        gray = (a + b + c + d) / 4
    return found


def blockiness(gray: FloatArray) -> float:
    """By how much neighboring pixels (h, w) differ more at the borders of JPEG's squares than
    elsewhere, in their unit.

    After Wang, Bovik and Evans (2000). The squares may begin anywhere, because photos are cropped.
    """
    return min((at_borders - usual for at_borders, usual in _jumps(gray)), default=0.0)


def prominence(gray: FloatArray) -> float:
    """How many times as much they differ there: little more than once where grass or fur makes
    differences as large."""
    return min((at_borders / (usual + 1e-6) for at_borders, usual in _jumps(gray)), default=0.0)


def _jumps(gray: FloatArray) -> list[tuple[float, float]]:
    """How much neighboring pixels differ at the borders of squares and elsewhere, across and down;
    empty if there are too few squares."""
    found = []
    for picture in (gray, gray.T):
        jumps = np.abs(np.diff(picture, axis=1)).mean(0)
        count = len(jumps) // _GRID
        if count < 2:
            return []
        *others, most = np.sort(np.median(jumps[: count * _GRID].reshape(count, _GRID), axis=0))
        found.append((float(most), float(np.mean(others))))
    return found


def bands(x: FloatArray) -> list[FloatArray]:
    """The finest octaves of a picture, as many as `BANDS`."""
    found = []
    for band in range(BANDS):
        kernel = np.zeros(4 * 2**band + 1, np.float32)
        kernel[:: 2**band] = _SPLINE
        smooth = cv2.sepFilter2D(x, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
        found.append(x - smooth)
        x = smooth
    return found


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


def _squares(x: FloatArray) -> FloatArray:
    """Means of squares of `_BLOCK` pixels."""
    size = tuple(max(1, side // _BLOCK) for side in x.shape[::-1])
    return cv2.resize(x, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
