"""Small previews of photo files, and their sizes."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageOps

from enhance.photos.colour import printed_as_srgb
from enhance.photos.decoding import clear_failures
from enhance.photos.deep import is_deep, read_deep, to_8_bit
from enhance.photos.formats import load, open_image, size_in_header
from enhance.photos.metadata import tags_of
from enhance.records import Source


def preview(data: bytes, long_side: int = 2048) -> bytes:
    """An image file as an upright JPEG of at most `long_side` pixels, in its own colour space."""
    with open_image(data) as image:
        icc = image.info.get("icc_profile")
        if is_deep(image, data):
            upright = Image.fromarray(to_8_bit(read_deep(image, data)))
        else:
            image.draft("RGB", (long_side, long_side))
            tags_of(image)
            upright = ImageOps.exif_transpose(load(image, data)[0])
        upright.thumbnail((long_side, long_side))
        if upright.mode in ("CMYK", "LAB"):
            with suppress(ValueError):
                upright = printed_as_srgb(upright, icc)
            icc = None
        file = io.BytesIO()
        upright.convert("RGB").save(file, "JPEG", quality=88, icc_profile=icc)
        return file.getvalue()


def preview_of(source: Source, long_side: int) -> bytes:
    """A `preview` of a photo. Raises PhotoError."""
    with clear_failures(source.name):
        return preview(source.path.read_bytes(), long_side)


def size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) from the file's header, or None if it is not a readable image."""
    try:
        return size_in_header(path)
    except Exception:  # damaged files make the decoders raise almost anything
        return None
