"""The file formats of photos, and how they are opened."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from itertools import product
from pathlib import Path

import pillow_heif
import tifffile
from PIL import Image, TiffImagePlugin

Image.init()  # register every plugin, which opening with a list of formats requires
pillow_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # `Limits` applies instead, before any pixel is decoded
# Have Pillow read the header of a TIFF with gray and alpha of 16 bits; `deep` reads its pixels.
for _order, _black, _alpha in product((b"II", b"MM"), (0, 1), (0, 1, 2)):
    TiffImagePlugin.OPEN_INFO[_order, _black, (1,), 1, (16, 16), (_alpha,)] = "LA", "LA;16B"

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
"""Pillow's names of the formats that are decoded (JPEG includes MPO); no other file is opened."""

EXTENSIONS = sorted(e for e, kind in Image.registered_extensions().items() if kind in READABLE)
"""File name extensions of those formats, for file pickers and folder walks."""

_END_OF_JPEG = b"\xff\xd9"


def open_image(data: bytes) -> Image.Image:
    """Open an image file: its header is read, its pixels are not decoded yet."""
    return Image.open(io.BytesIO(data), formats=READABLE)


def size_of(path: Path) -> tuple[int, int] | None:
    """(width, height) from the file's header, or None when it is no readable image."""
    with suppress(Exception):  # damaged files make the decoders raise almost anything
        if path.is_file():  # a pipe would be waited for
            with Image.open(path, formats=READABLE) as image:
                return image.size
    return None


def pictures(image: Image.Image, data: bytes) -> int:
    """How many pictures `open_image(data)` contains; 1 if the file is too damaged to tell."""
    with suppress(Exception):
        if image.format == "TIFF":  # Pillow takes far longer to count these
            with tifffile.TiffFile(io.BytesIO(data), is_lsm=False) as file:
                return len(file.pages)
        if image.format == "GIF":  # counting moves through all of them, so use another image
            with open_image(data) as another:
                return int(getattr(another, "n_frames", 1))
        return int(getattr(image, "n_frames", 1))
    return 1


def load(image: Image.Image, data: bytes) -> tuple[Image.Image, bool]:
    """Decode the pixels of `open_image(data)`. Returns the image and whether the file was complete.

    A truncated JPEG is decoded as far as it goes and the rest is gray; the returned image is then a
    new one. For any other damage, raises what the decoder raises.
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
    """Bits per channel of a HEIC or AVIF, of which only 8 are read; 8 for all other formats."""
    if image.format == "HEIF":
        return int(image.info.get("bit_depth", 8))
    at = data.find(b"av1C") + 6 if image.format == "AVIF" else 0
    flags = data[at] if 6 <= at < len(data) else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def is_lossless_webp(data: bytes) -> bool:
    """Whether a file is a lossless WebP. Raises struct.error for a damaged one."""
    if data[8:12] != b"WEBP":
        return False
    at = 12
    while data[at : at + 4] not in (b"VP8 ", b"VP8L", b"ANMF", b""):
        (size,) = struct.unpack_from("<I", data, at + 4)
        at += 8 + size + size % 2
    return data[at : at + 4] == b"VP8L"


def browser_shows(path: Path) -> bool:
    """Whether all current browsers can display a file with this extension."""
    return path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".avif")
