"""Pictures with which a browser shows photos and results, made from pixels in memory."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from enhance.limits import Limits
from enhance.photos import browser_shows, decode
from enhance.photos.pixels import to_8_bit
from enhance.records import Photo, Pixels, Report, Source, Views
from enhance.upscaling.interpolation import shrunk

_THUMBNAIL_SIDE = 480  # pixels, the longer side
_DETAIL_SIDES = 128, 512  # pixels of the photo, at least and at most
_SHOWN_SIDE = 4096
_SHOWN_PIXELS = 40_000_000  # larger pictures are shown as a smaller copy
_SHOWN_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF")
_TURNED_FORMATS = ("JPEG", "MPO")  # those that every browser turns as their EXIF block says


def views_of(photo: Photo, result: Photo, canvas: Pixels, extension: str, report: Report) -> Views:
    """The views of a photo's result. result: the photo with the result's profile and channels;
    canvas: the result's pixels; extension: that of its file."""
    left, top, right, bottom = _detail(report)
    # Whether all browsers show the photo's own file, upright. Its extension may lie.
    formats = _TURNED_FORMATS if photo.turned else _SHOWN_FORMATS
    file_shows = photo.format in formats and _showable(photo.name, photo.rgb)
    return Views(
        thumbnail=picture(canvas, result, side=_THUMBNAIL_SIDE),
        shown=None if _showable(f"_.{extension}", canvas) else picture(canvas, result),
        detail=picture(np.ascontiguousarray(canvas[top:bottom, left:right]), result),
        before=None if file_shows else picture(photo.rgb, photo),
    )


def preview(source: Source, limits: Limits) -> bytes:
    """A small picture of a photo as it was sent. Raises what decoding raises."""
    photo = decode(source, limits, _THUMBNAIL_SIDE)
    return picture(photo.rgb, photo, side=_THUMBNAIL_SIDE)


def _detail(report: Report) -> tuple[int, int, int, int]:
    """The square of the result to look at, its largest face or the middle: left, top, right,
    bottom. It is the same part of the photo at every size of the result."""
    (width, height), size = report.source_size, report.output_size
    scale = size[0] / width
    center, face = (width / 2, height / 2), 0.0
    if report.faces:
        center, face = report.faces[0].center, report.faces[0].size
    least, most = _DETAIL_SIDES
    side = min(round(scale * min(max(least, 1.5 * face), most)), *size)
    left, top = (
        min(max(0, round(scale * at - side / 2)), length - side)
        for at, length in zip(center, size, strict=True)
    )
    return left, top, left + side, top + side


def picture(pixels: Pixels, photo: Photo, side: int = _SHOWN_SIDE) -> bytes:
    """A JPEG of RGB pixels in the photo's color space, shrunk to at most `side` pixels."""
    pixels = shrunk(pixels, side)
    image = Image.fromarray(to_8_bit(pixels))
    if photo.gray:  # its profile is a gray one
        image = image.convert("L")
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88, icc_profile=photo.icc)
    return file.getvalue()


def _showable(name: str, pixels: Pixels) -> bool:
    return browser_shows(Path(name)) and pixels.shape[0] * pixels.shape[1] <= _SHOWN_PIXELS
