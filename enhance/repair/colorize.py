"""Gives a gray photo colors: a network says which, and the photo's lightness stays as it is."""

from dataclasses import replace

import cv2
import numpy as np

from enhance.networks.resident import ResidentNet
from enhance.photos.color import linear_light, space_of, srgb_view
from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import FloatArray, Photo, StopCheck
from enhance.upscaling.interpolation import resized

_SEEN = 512  # pixels: the side of the square that the network sees, as its authors have it
_BAND = 1_000_000  # pixels recolored at once
_TO_XYZ = np.array(  # linear sRGB → CIE XYZ
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ],
    np.float32,
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_WHITE = _TO_XYZ.sum(1)
_DARK = 6 / 29  # of CIE Lab: below, its cube root is a line


class Colorizer:
    """A photo → the same photo with other colors but the same lightness."""

    def __init__(self, net: ResidentNet) -> None:
        """net: gray sRGB (n, 3, h, w) in 0..1 → the chroma a and b of CIE Lab (n, 2, h, w)."""
        self._net = net

    def __call__(self, photo: Photo, strength: float, stop_check: StopCheck) -> Photo:
        """strength: of the colors, 0..1; 0 makes the photo gray. A photo of a single channel
        becomes sRGB, because its profile knows only grays."""
        if photo.gray:
            photo = replace(photo, rgb=srgb_view(photo), gray=False, icc=None)
        rgb, space = photo.rgb, space_of(photo)
        small = space.to_srgb(unit(resized(rgb, (_SEEN, _SEEN))))
        gray = np.repeat(_encoded(_light(small))[..., None], 3, 2)
        with self._net.interruptible(stop_check):
            chroma = self._net(gray[None])[0] * np.float32(strength)
        height, width = rgb.shape[:2]
        chroma = cv2.resize(chroma, (width, height), interpolation=cv2.INTER_LINEAR)
        colored = np.empty_like(rgb)
        for rows in bands(height, width, _BAND):
            seen = recolored(space.to_srgb(unit(rgb[rows])), chroma[rows])  # type: ignore[index]
            colored[rows] = from_unit(space.from_srgb(seen), rgb.dtype)
        return replace(photo, rgb=colored)


def recolored(srgb: FloatArray, chroma: FloatArray) -> FloatArray:
    """Colors (..., 3) of the same lightness, with the chroma (..., 2) a and b of CIE Lab.

    Where sRGB has no such color, it has less of the chroma, rather than another lightness.
    """
    light = _light(srgb)
    root = np.where(light > _DARK**3, np.cbrt(light), light / (3 * _DARK**2) + 4 / 29)
    roots = np.stack([root + chroma[..., 0] / 500, root - chroma[..., 1] / 200], -1)
    x, z = np.moveaxis(np.where(roots > _DARK, roots**3, 3 * _DARK**2 * (roots - 4 / 29)), -1, 0)
    linear = np.stack([x * _WHITE[0], light, z * _WHITE[2]], -1) @ _FROM_XYZ.T
    gray = light[..., None]
    away = linear - gray
    room = np.where(away > 0, 1 - gray, gray) / np.maximum(np.abs(away), 1e-6)
    return _encoded(gray + away * np.minimum(room.min(-1, keepdims=True), 1))


def _light(srgb: FloatArray) -> FloatArray:
    """The luminance (...) of sRGB colors (..., 3), 0..1."""
    return (linear_light(srgb) @ _TO_XYZ[1]).astype(np.float32)


def _encoded(linear: FloatArray) -> FloatArray:
    """Linear light as sRGB."""
    linear = linear.clip(0, 1)
    curve = 1.055 * linear ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, curve).astype(np.float32)
