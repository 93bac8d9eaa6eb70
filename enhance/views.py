"""Pictures with which a browser shows photos and results, made from pixels in memory."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from enhance.photos import browser_shows
from enhance.photos.deep import to_8_bit
from enhance.records import Photo, Pixels, Views
from enhance.upscaling.interpolation import resized

_THUMBNAIL_SIDE = 480  # pixels, the longer side
_SHOWN_SIDE = 4096
_SHOWN_PIXELS = 40_000_000  # larger pictures are shown as a smaller copy


def views_of(photo: Photo, canvas: Pixels, extension: str) -> Views:
    """The views of a photo's result. canvas: its pixels; extension: that of its file."""
    return Views(
        thumbnail=picture(canvas, photo, side=_THUMBNAIL_SIDE),
        shown=None if _showable(f"_.{extension}", canvas) else picture(canvas, photo),
        # The pixels of a draft's photo are a small copy, not those of its file.
        before=None
        if _showable(photo.name, photo.rgb) and not photo.draft
        else picture(photo.rgb, photo),
    )


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


def _showable(name: str, pixels: Pixels) -> bool:
    return browser_shows(Path(name)) and pixels.shape[0] * pixels.shape[1] <= _SHOWN_PIXELS
