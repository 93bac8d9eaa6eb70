"""The file formats that photos come in, and opening them."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pillow_heif
import tifffile
from PIL import Image, UnidentifiedImageError

from enhance.photos.deep import size_of_grey_alpha

Image.init()  # every plugin: opening by a list of formats needs them registered
pillow_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # `Limits` decides, from the header, before a pixel is decoded

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
"""Pillow names of the formats that are decoded (JPEG covers MPO); all else is refused unopened."""

EXTENSIONS = [
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".png",
    ".apng",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".hif",
    ".avif",
]
"""File name endings of those formats, for file pickers and folder walks."""

_END_OF_JPEG = b"\xff\xd9"


def open_image(data: bytes) -> Image.Image:
    """The image in a file, its header read, its pixels not decoded yet."""
    return Image.open(io.BytesIO(data), formats=READABLE)


def size_in_header(path: Path) -> tuple[int, int]:
    """(width, height) of the image in a file. Raises as `open_image` does, or OSError."""
    try:
        with Image.open(path, formats=READABLE) as image:
            return image.size
    except UnidentifiedImageError:
        return size_of_grey_alpha(path)


def pictures(image: Image.Image, data: bytes) -> int:
    """How many pictures are in `open_image(data)`; 1 where damage hides it."""
    with suppress(Exception):
        if image.format == "TIFF":  # which Pillow takes far longer to count
            with tifffile.TiffFile(io.BytesIO(data), is_lsm=False) as file:
                return len(file.pages)
        if image.format == "GIF":  # counting goes through all of them
            with open_image(data) as another:
                return int(getattr(another, "n_frames", 1))
        return int(getattr(image, "n_frames", 1))
    return 1


def load(image: Image.Image, data: bytes) -> tuple[Image.Image, bool]:
    """Decode the pixels of `open_image(data)`; also says whether the file was complete.

    Of a JPEG that ends too early everything up to its end is decoded, the rest is grey; the image
    is another one then. Any other damage raises what the decoder raises.
    """
    try:
        image.load()
        return image, True
    except OSError:
        if image.format not in ("JPEG", "MPO"):
            raise
    mended = Image.open(io.BytesIO(data + _END_OF_JPEG), formats=("JPEG",))
    mended.load()
    return mended, False


def video_bits(image: Image.Image, data: bytes) -> int:
    """Bits a channel of a HEIC or AVIF, of which only 8 are read; 8 for all other formats."""
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    at = data.find(b"av1C") + 6 if image.format == "AVIF" else 0
    flags = data[at] if 6 <= at < len(data) else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def browser_shows(path: Path) -> bool:
    """Whether every current browser can display a file of this name."""
    return path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif")
