"""The file formats of photos, and how they are opened."""

import io
import struct
from collections.abc import Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, cast

import imagecodecs
import numpy as np
import pillow_heif
import tifffile
from PIL import Image, TiffImagePlugin

from enhance.records import Pixels

Image.init()  # register every plugin, which opening with a list of formats requires
pillow_heif.register_heif_opener()
Image.MAX_IMAGE_PIXELS = None  # `Limits` applies instead, before any pixel is decoded
# Have Pillow read the header of a TIFF with gray and alpha of 16 bits, for `read_deep`.
for _order, _black, _alpha in product((b"II", b"MM"), (0, 1), (0, 1, 2)):
    TiffImagePlugin.OPEN_INFO[_order, _black, (1,), 1, (16, 16), (_alpha,)] = "LA", "LA;16B"

READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF", "AVIF")
"""Pillow's names of the formats that are decoded (JPEG includes MPO); no other file is opened."""

EXTENSIONS = sorted(e for e, kind in Image.registered_extensions().items() if kind in READABLE)
"""File name extensions of those formats, for file pickers and folder walks."""

_END_OF_JPEG = b"\xff\xd9"
# TIFF tags and their values: bits of each sample, what the samples mean (and how many colors there
# are), one plane per channel, what further samples mean.
_BITS, _MEANING, _PLANES, _MORE = 258, 262, 284, 338
_WHITE_IS_ZERO, _SAMPLES = 0, {0: 1, 1: 1, 2: 3}
_SEPARATE = 2
_PREMULTIPLIED = 1


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


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits per channel, whatever Pillow's mode says."""
    if image.format == "PNG":
        return data[24] == 16  # the bit depth in the IHDR chunk
    if image.format == "TIFF":
        tags = cast(Any, image).tag_v2
        return set(tags.get(_BITS, (1,))) == {16} and tags.get(_MEANING) in _SAMPLES
    return False


def read_deep(image: Image.Image, data: bytes) -> Pixels:
    """The pixels as they are stored: uint16, (h, w) or (h, w, 1 to 4).

    Raises ValueError, TiffError or PngError if they cannot be read correctly.
    """
    pixels = (
        _read_tiff(data, cast(Any, image).tag_v2)
        if image.format == "TIFF"
        else imagecodecs.png_decode(data)
    )
    if pixels.dtype != np.uint16 or sorted(pixels.shape[:2]) != sorted(image.size):
        raise ValueError("not a 16-bit picture of the size that was checked")
    return pixels


def _read_tiff(data: bytes, tags: Mapping[int, Any]) -> Pixels:
    """The first picture of a 16-bit TIFF without channels that are neither colors nor alpha."""
    pixels = imagecodecs.tiff_decode(data)
    if tags.get(_PLANES) == _SEPARATE and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if tags[_MEANING] == _WHITE_IS_ZERO:
        pixels = np.concatenate([~pixels[..., :1], pixels[..., 1:]], axis=2)
    alpha = tags.get(_MORE, ())[:1]
    pixels = pixels[..., : _SAMPLES[tags[_MEANING]] + len(alpha)]
    return _divided(pixels) if alpha == (_PREMULTIPLIED,) else pixels


def _divided(pixels: Pixels) -> Pixels:
    """Undo the premultiplication of colors by alpha (the last channel)."""
    color, alpha = pixels[..., :-1].astype(np.float32), pixels[..., -1:]
    color *= np.float32(65535) / np.maximum(alpha, 1)
    return np.concatenate([np.rint(color.clip(0, 65535)).astype(np.uint16), alpha], axis=2)


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
