"""Converts colors between a photo's own space, given by its ICC profile, and the models' sRGB.

A photo stays in its own color space from input to output. Only what a model sees is converted to
sRGB, and the model's output is converted back. Colors outside sRGB's gamut bypass the model.
"""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import Photo

Array: TypeAlias = NDArray[Any]

_LEVELS = 65_536  # entries of a curve: as many as a channel of 16 bits has values
_STEP = 1e-3  # rounded numbers make a curve of two parts fall this little where they meet
_MAX_STEPS = 16  # elements in a multi-process-element tag
_SAME = 1 / 255  # a space that differs from sRGB by no more than this counts as sRGB
_BAND = 2_000_000  # pixels converted at once
# Linear sRGB → XYZ as in profiles, relative to the D50 white point (IEC 61966-2-1, Bradford).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


@dataclass(frozen=True)
class ColorSpace:
    """A photo's color space. All arrays: (..., 3) float32 in 0..1.

    to_srgb: converts the photo's colors to sRGB, clipped to its gamut. from_srgb: converts sRGB
        colors to the photo's space.
    """

    to_srgb: Callable[[Array], Array]
    from_srgb: Callable[[Array], Array]

    def beyond(self, pixels: Array) -> Array | None:
        """What must be added to `from_srgb(to_srgb(pixels))` to get `pixels`; None if nothing."""
        if self.to_srgb is _unchanged:
            return None
        rest = pixels - self.from_srgb(self.to_srgb(pixels))
        return rest if np.abs(rest).max(initial=0) > 1e-3 else None


def _unchanged(pixels: Array) -> Array:
    return pixels


SRGB = ColorSpace(_unchanged, _unchanged)
"""The space of a photo that is in sRGB already."""


class _Conversion:
    """Applies curves, a matrix and inverse curves. Tables instead of powers: fast, and accurate to
    16 bits."""

    def __init__(self, start: Array, matrix: Array, end: Array) -> None:
        self._light = start.astype(np.float32)
        self._matrix = matrix.T.astype(np.float32)
        # Indexed by the square root of light, for more entries in the dark, where eyes and curves
        # are most sensitive.
        light = np.linspace(0, 1, _LEVELS) ** 2
        values = np.linspace(0, 1, _LEVELS)
        self._values = np.stack([np.interp(light, c, values) for c in end]).astype(np.float32)

    def __call__(self, pixels: Array) -> Array:
        result = _looked_up(self._light, pixels) @ self._matrix
        np.sqrt(result.clip(0, 1), out=result)
        return _looked_up(self._values, result)


def _looked_up(tables: Array, pixels: Array) -> Array:
    at = (pixels.clip(0, 1) * np.float32(_LEVELS - 1) + np.float32(0.5)).astype(np.uint16)
    result = np.empty(pixels.shape, np.float32)
    for channel, table in enumerate(tables):
        result[..., channel] = table[at[..., channel]]
    return result


class _Transform:
    """Applies a transform of Little CMS, which Pillow offers with 8 bits only."""

    def __init__(self, transform: ImageCms.ImageCmsTransform, mode: str) -> None:
        """mode: that of the pictures to be transformed, "RGB" or "L"."""
        self._transform = transform
        self._mode = mode

    def __call__(self, pixels: Array) -> Array:
        flat = np.rint(pixels.clip(0, 1) * 255).astype(np.uint8).reshape(1, -1, 3)
        gray = self._mode == "L"
        image = Image.fromarray(np.ascontiguousarray(flat[..., 0]) if gray else flat)
        result = cast(Image.Image, ImageCms.applyTransform(image, self._transform)).convert("RGB")
        return (np.asarray(result, np.float32) / 255).reshape(pixels.shape)


@functools.lru_cache(maxsize=8)
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
    if icc[36:40] != b"acsp" or kind not in ((b"RGB ", b"GRAY") if gray else (b"RGB ",)):
        raise ValueError("not a profile for such a picture")
    try:
        space = _matrix(dict(_tags_of(icc)), kind)
    except (KeyError, ValueError, ArithmeticError, struct.error, np.linalg.LinAlgError):
        try:
            space = _tables(icc, "RGB" if kind == b"RGB " else "L")
        except (ImageCms.PyCMSError, OSError) as error:
            raise ValueError("not a readable profile") from error
    return SRGB if _is_srgb(space, kind) else space


def srgb_view(pixels: Array, space: ColorSpace) -> Array:
    """Convert a whole photo, (h, w, 3) uint8 or uint16, to sRGB of the same dtype."""
    if space is SRGB:
        return pixels
    view = np.empty_like(pixels)
    for rows in bands(pixels.shape[0], pixels.shape[1], _BAND):
        view[rows] = from_unit(space.to_srgb(unit(pixels[rows])), pixels.dtype)
    return view


def linear_light(srgb: Array) -> Array:
    """sRGB values in 0..1 as linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def with_colors(photo: Photo, space: ColorSpace) -> tuple[Photo, ColorSpace]:
    """A photo that can hold colors, and its space: a photo of one channel, and its space, become
    sRGB, because its profile knows only grays."""
    if not photo.gray:
        return photo, space
    return replace(photo, rgb=srgb_view(photo.rgb, space), gray=False, icc=None), SRGB


def printed_as_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Convert a CMYK or Lab picture to sRGB, using its profile if it has one.

    Raises ValueError if the profile cannot be used.
    """
    try:
        if image.mode == "LAB":
            own = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        elif icc:
            own = _open_profile(icc)
        else:
            return image.convert("RGB")
        srgb = ImageCms.createProfile("sRGB")
        return cast(Image.Image, ImageCms.profileToProfile(image, own, srgb, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError("not a usable profile") from error


def _is_srgb(space: ColorSpace, kind: bytes) -> bool:
    levels = np.linspace(0, 1, 9 if kind == b"RGB " else 256, dtype=np.float32)
    cube = np.stack(np.meshgrid(levels, levels, levels), -1) if kind == b"RGB " else levels[:, None]
    cube = np.broadcast_to(cube, (*cube.shape[:-1], 3))
    return bool(np.abs(space.to_srgb(cube) - cube).max() <= _SAME)


def _matrix(tags: dict[bytes, memoryview], kind: bytes) -> ColorSpace:
    """The space of a profile with one curve per channel, channel value → linear light, and a
    matrix, light → D50 XYZ. Raises KeyError, ValueError or struct.error for any other kind."""
    if b"A2B0" in tags:
        raise ValueError("tables come first")  # a profile's tables take precedence over its matrix
    if kind == b"GRAY":
        curves, to_xyz = [_curve_of(tags[b"kTRC"])] * 3, _SRGB_TO_XYZ
    else:
        curves = [_curve_of(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        columns = [_numbers(tags[name][8:20]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        to_xyz = np.array(columns).T
    own, srgb = np.stack(curves), np.stack([_parametric(3, _SRGB_CURVE)] * 3)
    matrix = np.linalg.inv(_SRGB_TO_XYZ) @ to_xyz
    return ColorSpace(_Conversion(own, matrix, srgb), _Conversion(srgb, np.linalg.inv(matrix), own))


def _tables(icc: bytes, mode: str) -> ColorSpace:
    """The space of any other profile. Raises PyCMSError or OSError if the profile is damaged."""
    own, srgb = _open_profile(icc), ImageCms.createProfile("sRGB")
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    there = ImageCms.buildTransform(own, srgb, mode, "RGB", intent)
    try:
        back = ImageCms.buildTransform(srgb, own, "RGB", mode, intent)
    except ImageCms.PyCMSError:
        return SRGB
    return ColorSpace(_Transform(there, mode), _Transform(back, "RGB"))


def _open_profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    """Open a profile. Raises OSError for one that Little CMS would take for ever to process."""
    try:
        tags = _tags_of(icc)
    except struct.error as error:
        raise OSError("a profile that is cut off") from error
    for _, tag in tags:
        if bytes(tag[:4]) == b"mpet" and int.from_bytes(tag[12:16], "big") > _MAX_STEPS:
            raise OSError("a profile of too many steps")
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def _tags_of(icc: bytes) -> list[tuple[bytes, memoryview]]:
    """The tags of a profile by name, as far as they can be found. Raises struct.error."""
    view = memoryview(icc)  # no copies: many tags may refer to the same bytes
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = (struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 100)))
    return [(name, view[start : start + size]) for name, start, size in entries]


def _numbers(body: memoryview) -> tuple[float, ...]:
    """The fixed-point _numbers of a tag's body."""
    return tuple(v / 65536 for v in struct.unpack(f">{len(body) // 4}i", body))


def _curve_of(tag: memoryview) -> Array:
    """A rising curve, channel value → linear light, at 65536 values. Raises ValueError if the tag
    has no such curve."""
    if bytes(tag[:4]) == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        count = (1, 3, 4, 5, 7)[kind] if kind < 5 else 0
        curve = _parametric(kind, _numbers(tag[12 : 12 + 4 * count]))
    elif bytes(tag[:4]) == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.frombuffer(tag, ">u2", count, 12)
        if count == 0:
            curve = np.linspace(0, 1, _LEVELS)
        elif count == 1:
            curve = _parametric(0, (values[0] / 256,))
        else:
            x = np.linspace(0, 1, _LEVELS)
            curve = np.interp(x, np.linspace(0, 1, count), values / 65535)
    else:
        raise ValueError("no curve")
    if not np.isfinite(curve).all() or (np.diff(curve) < -_STEP).any() or curve[-1] < 0.5:
        raise ValueError("the curve does not rise")
    return np.maximum.accumulate(curve)


def _parametric(kind: int, parameters: Sequence[float]) -> Array:
    """The curve types 0 to 4 of the ICC specification, section 10.18."""
    gamma, *rest = parameters
    a, b, c, d, e, f = {
        0: lambda: (1, 0, 0, 0, 0, 0),
        1: lambda: (*rest, 0, -rest[1] / rest[0], 0, 0),
        2: lambda: (rest[0], rest[1], 0, -rest[1] / rest[0], rest[2], rest[2]),
        3: lambda: (*rest, 0, 0),
        4: lambda: rest,
    }[kind]()
    x = np.linspace(0, 1, _LEVELS)
    power = np.maximum(a * x + b, 0) ** gamma + e
    return np.clip(np.where(x >= d, power, c * x + f), 0, 1)
