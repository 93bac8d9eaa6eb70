"""Pictures with which a browser shows photos and results, made from pixels in memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from enhance.limits import Limits
from enhance.photos import browser_shows, decode
from enhance.photos.deep import to_8_bit
from enhance.records import Photo, Pixels, Source, Views
from enhance.upscaling.interpolation import resized

_THUMBNAIL_SIDE = 480  # pixels, the longer side
_SHARED_HEIGHT = 1600
_SHOWN_SIDE = 4096
_SHOWN_PIXELS = 40_000_000  # larger pictures are shown as a smaller copy
_SHOWN_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF")
_TURNED_FORMATS = ("JPEG", "MPO")  # those that every browser turns as their EXIF block says


def views_of(photo: Photo, result: Photo, canvas: Pixels, extension: str) -> Views:
    """The views of a photo's result. result: the photo with the result's profile and channels;
    canvas: the result's pixels; extension: that of its file."""
    return Views(
        thumbnail=picture(canvas, result, side=_THUMBNAIL_SIDE),
        shown=None if _showable(f"_.{extension}", canvas) else picture(canvas, result),
        before=None if _file_shows(photo) else picture(photo.rgb, photo),
    )


def preview(source: Source, limits: Limits) -> bytes:
    """A small picture of a photo as it was sent. Raises what decoding raises."""
    photo = decode(source, limits, _THUMBNAIL_SIDE)
    return picture(photo.rgb, photo, side=_THUMBNAIL_SIDE)


def crop(source: Source, box: tuple[int, int, int, int], limits: Limits) -> bytes:
    """A part (left, top, right, bottom) of a photo at 100 %. Raises what decoding raises."""
    photo = decode(source, limits)
    left, top, right, bottom = box
    return picture(np.ascontiguousarray(photo.rgb[top:bottom, left:right]), photo)


def side_by_side(before: Source, after: Source, limits: Limits) -> bytes:
    """One picture of a photo and its result, equally high, for sharing. Raises what decoding
    raises."""
    photo, result = decode(before, limits), decode(after, limits)
    height = min(result.rgb.shape[0], _SHARED_HEIGHT)
    sides = [_as_high(rgb, height) for rgb in (photo.rgb, result.rgb)]
    line = np.full((height, max(2, height // 200), 3), 255, np.uint8)
    pair = np.hstack([sides[0], line, sides[1]])
    return picture(pair, photo, side=max(pair.shape))


def _as_high(rgb: Pixels, height: int) -> Pixels:
    """As 8-bit pixels of this height."""
    eight = to_8_bit(rgb) if rgb.dtype == np.uint16 else rgb
    width = max(1, round(eight.shape[1] * height / eight.shape[0]))
    return resized(eight, (width, height))


def picture(
    pixels: Pixels, photo: Photo, side: int = _SHOWN_SIDE, format: str = "JPEG", quality: int = 88
) -> bytes:
    """Encode RGB or RGBA pixels in the photo's colour space, shrunk to at most `side` pixels."""
    scale = side / max(pixels.shape[:2])
    if scale < 1 and pixels.shape[2] == 3:  # RGBA needs Pillow, which weights colours by opacity
        height, width = pixels.shape[:2]
        pixels = resized(pixels, (max(1, round(width * scale)), max(1, round(height * scale))))
    image = Image.fromarray(to_8_bit(pixels) if pixels.dtype == np.uint16 else pixels)
    if photo.grey:  # its profile is a grey one
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    image.thumbnail((side, side), reducing_gap=2)
    file = io.BytesIO()
    image.save(file, format, quality=quality, compress_level=1, icc_profile=photo.icc)
    return file.getvalue()


def _file_shows(photo: Photo) -> bool:
    """Whether all browsers show a photo's own file, upright. Its extension may lie."""
    formats = _TURNED_FORMATS if photo.turned else _SHOWN_FORMATS
    # The pixels of a draft's photo are a small copy, not those of its file.
    return photo.format in formats and _showable(photo.name, photo.rgb) and not photo.draft


def _showable(name: str, pixels: Pixels) -> bool:
    return browser_shows(Path(name)) and pixels.shape[0] * pixels.shape[1] <= _SHOWN_PIXELS
