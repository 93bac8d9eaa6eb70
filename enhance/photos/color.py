"""Converts colors between a photo's own space, given by its ICC profile, and the models' sRGB.

A photo stays in its own color space from input to output. Only what a model sees is converted to
sRGB, and the model's output is converted back. Colors outside sRGB's gamut bypass the model.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import Photo, Pixels

Array: TypeAlias = NDArray[Any]

_SRGB = imagecodecs.cms_profile("srgb")
_LINEAR = imagecodecs.cms_profile(
    "rgb", whitepoint=(0.3127, 0.3290), primaries=(0.64, 0.33, 0.30, 0.60, 0.15, 0.06), gamma=1
)  # sRGB without its curve
_PROBES = 4097  # values of a channel at which a profile's curve is measured
_LEVELS = 65_536  # entries of a curve: as many as a channel of 16 bits has values
_SAME = 1 / 255  # colors that differ by no more than this count as the same
_BAND = 2_000_000  # pixels converted at once
_PROGRAMS = re.compile(rb"(?:D2B|B2D)[0-3]")


@dataclass(frozen=True)
class ColorSpace:
    """A photo's color space. All arrays: (..., 3) float32 in 0..1.

    to_srgb: converts the photo's colors to sRGB, clipped to its gamut. from_srgb: converts sRGB
        colors to the photo's space.
    """

    to_srgb: Callable[[Array], Array]
    from_srgb: Callable[[Array], Array]

    def split(self, pixels: Array) -> tuple[Array, Array | None]:
        """The photo's colors in sRGB, and what lies beyond its gamut, in the photo's space; None if
        nothing does."""
        srgb = self.to_srgb(pixels)
        if self is SRGB:
            return srgb, None
        beyond = pixels - self.from_srgb(srgb)
        return srgb, beyond if np.abs(beyond).max(initial=0) > 1e-3 else None

    def joined(self, srgb: Array, beyond: Array | None) -> Array:
        """The inverse of `split`."""
        own = self.from_srgb(srgb)
        return own if beyond is None else own + beyond


def _unchanged(pixels: Array) -> Array:
    return pixels


SRGB = ColorSpace(_unchanged, _unchanged)
"""The space of a photo that is in sRGB already."""


@lru_cache(maxsize=8)
def color_space(icc: bytes | None, gray: bool = False) -> ColorSpace:
    """The color space that a profile describes; sRGB if there is no profile.

    gray: the photo has one channel, so its profile may be a gray one. A profile that converts to
    other spaces but not back, like that of some scanners, counts as sRGB too, because it is safest
    to leave such a photo's colors as they are.

    Raises ValueError if the profile is damaged or for other kinds of pictures.
    """
    if icc is None:
        return SRGB
    kind = icc[16:20]
    if kind not in ((b"RGB ", b"GRAY") if gray else (b"RGB ",)):
        raise ValueError("not a profile for such a picture")
    icc = _without_programs(icc)
    levels = np.linspace(0, 1, 9 if kind == b"RGB " else 256, dtype=np.float32)
    grid = np.meshgrid(levels, levels, levels) if kind == b"RGB " else [levels] * 3
    colors = np.stack(grid, -1)
    try:
        seen = _converted(colors, icc, _SRGB).clip(0, 1)
    except imagecodecs.CmsError as error:
        raise ValueError("not a readable profile") from error
    if np.abs(seen - colors).max() <= _SAME:
        return SRGB
    with suppress(np.linalg.LinAlgError):
        space = _of_curves(icc)
        if np.abs(space.to_srgb(colors) - seen).max() <= _SAME:
            return space
    try:
        _converted(colors, _SRGB, icc)
    except imagecodecs.CmsError:
        return SRGB
    return ColorSpace(
        partial(_by_tables, start=icc, end=_SRGB), partial(_by_tables, start=_SRGB, end=icc)
    )


def srgb_view(photo: Photo) -> Pixels:
    """The pixels of a photo in sRGB, of the same dtype."""
    pixels, space = photo.rgb, space_of(photo)
    if space is SRGB:
        return pixels
    view = np.empty_like(pixels)
    for rows in bands(pixels.shape[0], pixels.shape[1], _BAND):
        view[rows] = from_unit(space.to_srgb(unit(pixels[rows])), pixels.dtype)
    return view


def linear_light(srgb: Array) -> Array:
    """sRGB values in 0..1 as linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def space_of(photo: Photo) -> ColorSpace:
    """The color space of a photo's pixels."""
    return color_space(photo.icc, photo.gray)


def printed_as_srgb(image: Image.Image, icc: bytes | None) -> Pixels:
    """Convert a CMYK or Lab picture to sRGB, (h, w, 3) uint8, using its profile if it has one.

    Raises ValueError if the profile cannot be used.
    """
    pixels = np.asarray(image)
    if image.mode == "LAB":  # in Pillow, a and b are signed
        pixels, icc = pixels ^ np.array([0, 128, 128], np.uint8), imagecodecs.cms_profile("lab4")
    elif icc is None:
        return np.asarray(image.convert("RGB"))
    elif icc[16:20] != b"CMYK":
        raise ValueError("not a profile for such a picture")
    try:
        return imagecodecs.cms_transform(
            pixels,
            _without_programs(icc),
            _SRGB,
            colorspace=image.mode.lower(),
            outcolorspace="rgb",
        )
    except imagecodecs.CmsError as error:
        raise ValueError("not a readable profile") from error


def _without_programs(icc: bytes) -> bytes:
    """The profile with other names for tags that may be programs, as long as they like. What has
    any must have tables or curves, too, that say nearly the same."""
    return _PROGRAMS.sub(lambda name: name[0].lower(), icc)


def _of_curves(icc: bytes) -> ColorSpace:
    """The space of a profile that consists of a rising curve per channel, channel value → light,
    and a matrix, light → linear sRGB. Both are measured; of any other profile they are nonsense.

    Raises LinAlgError if they cannot be inverted.
    """
    levels = np.linspace(0, 1, _PROBES, dtype=np.float32)[:, None]
    if icc[16:20] == b"GRAY":
        curves, matrix = _converted(levels.repeat(3, 1), icc, _LINEAR)[:, [1, 1, 1]].T, np.eye(3)
    else:
        alone = levels * np.eye(3, dtype=np.float32)[:, None]  # each channel with the others at 0
        light = _converted(alone, icc, _LINEAR).astype(np.float64)
        matrix = (light[:, -1] - light[0, 0]).T
        curves = np.einsum("cij,cj->ci", light, np.linalg.inv(matrix))
    own = np.maximum.accumulate(curves, axis=1)
    srgb = np.stack([linear_light(np.linspace(0, 1, _LEVELS))] * 3)
    return ColorSpace(_conversion(own, matrix, srgb), _conversion(srgb, np.linalg.inv(matrix), own))


def _conversion(start: Array, matrix: Array, end: Array) -> Callable[[Array], Array]:
    """What applies curves (3, n), a matrix and inverse curves. Tables instead of powers: fast, and
    accurate to 16 bits."""
    values = np.linspace(0, 1, _LEVELS)
    light = np.stack([np.interp(values, np.linspace(0, 1, len(c)), c) for c in start])
    # Indexed by the square root of light, for more entries in the dark, where eyes and curves are
    # most sensitive.
    back = np.stack([np.interp(values**2, c, np.linspace(0, 1, len(c))) for c in end])
    there, mixed, here = (each.astype(np.float32) for each in (light, matrix.T, back))

    def convert(pixels: Array) -> Array:
        result = _looked_up(there, pixels) @ mixed
        np.sqrt(result.clip(0, 1), out=result)
        return _looked_up(here, result)

    return convert


def _looked_up(tables: Array, pixels: Array) -> Array:
    at = (pixels.clip(0, 1) * np.float32(_LEVELS - 1) + np.float32(0.5)).astype(np.uint16)
    result = np.empty(pixels.shape, np.float32)
    for channel, table in enumerate(tables):
        result[..., channel] = table[at[..., channel]]
    return result


def _by_tables(pixels: Array, start: bytes, end: bytes) -> Array:
    """Convert colors in 0..1 with 16 bits, with which Little CMS clips and is fast."""
    return unit(_converted(from_unit(pixels, np.uint16), start, end))


def _converted(pixels: Array, start: bytes, end: bytes) -> Array:
    """Convert (..., 3) from one profile's space to another's, of the same dtype; all channels of
    grays are the same. Floats are not clipped. Raises CmsError if a profile is damaged."""
    kinds = ["gray" if icc[16:20] == b"GRAY" else "rgb" for icc in (start, end)]
    flat = pixels.reshape(1, -1, 3)
    result = imagecodecs.cms_transform(
        flat[..., 0] if kinds[0] == "gray" else flat,
        start,
        end,
        colorspace=kinds[0],
        outcolorspace=kinds[1],
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
    )
    if kinds[1] == "gray":
        result = result[..., None].repeat(3, 2)
    return result.reshape(pixels.shape)
