"""Reads and writes photos with 16 bits per channel, which Pillow would reduce to 8; also writes
8-bit TIFFs."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, cast

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, PngImagePlugin

from enhance.photos.decode_limits import check_same
from enhance.photos.metadata import IPTC_TAG, KEPT_TIFF_TAGS, add_sub_blocks, sub_blocks
from enhance.records import Photo, Pixels

_PNG_HEADER = 33  # bytes: the signature and the first chunk
# TIFF tags and their values: bits of each sample, what the samples mean (and how many colors there
# are), one plane per channel, what further samples mean.
_BITS, _MEANING, _PLANES, _MORE = 258, 262, 284, 338
_WHITE_IS_ZERO, _SAMPLES = 0, {0: 1, 1: 1, 2: 3}
_SEPARATE = 2
_PREMULTIPLIED = 1
_XMP_TAG = 700


def to_8_bit(pixels: Pixels) -> Pixels:
    """uint16 pixels rounded to uint8."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


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
    check_same(pixels.shape[:2], image.size, pixels.size)
    if pixels.dtype != np.uint16:
        raise ValueError("not a 16-bit picture")
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


def write_deep_png(pixels: Pixels, photo: Photo) -> bytes:
    """Encode a PNG. pixels: uint16, (h, w) or (h, w, 2 to 4)."""
    png = imagecodecs.png_encode(pixels, 3, strategy=imagecodecs.PNG.STRATEGY.RLE)
    other = io.BytesIO()  # Pillow writes what is between the header and the pixels
    Image.new("L", (1, 1)).save(other, "PNG", **png_blocks(photo))
    blocks = other.getvalue()[_PNG_HEADER : other.getvalue().rindex(b"IDAT") - 4]
    return png[:_PNG_HEADER] + blocks + png[_PNG_HEADER:]


def png_blocks(photo: Photo) -> dict[str, Any]:
    """What Pillow is told of a photo's profile, metadata and resolution, to write them to a PNG."""
    texts = PngImagePlugin.PngInfo()
    if photo.xmp:
        texts.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + photo.xmp)
    blocks = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi}
    return {"pnginfo": texts, **{name: block for name, block in blocks.items() if block}}


def write_tiff(pixels: Pixels, photo: Photo) -> bytes:
    """Encode a TIFF. pixels: uint8 or uint16, (h, w) or (h, w, 2 to 4)."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    exif = Image.Exif()
    exif.load(photo.exif or b"")
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels,
        photometric="minisblack" if channels < 3 else "rgb",
        planarconfig=None if channels == 1 else "contig",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="zlib",
        predictor=True,
        iccprofile=photo.icc,
        resolution=photo.dpi,
        resolutionunit="INCH" if photo.dpi else None,
        metadata=None,
        software=False,
        extratags=list(_tags(exif, photo)),
    )
    blocks = sub_blocks(exif)
    return add_sub_blocks(file.getvalue(), blocks) if blocks else file.getvalue()


Tag = tuple[int, int, int, bytes, bool]
_BYTES, _TEXT, _UNDEFINED = 1, 2, 7  # types of TIFF tags


def _tags(tags: Image.Exif, photo: Photo) -> Iterator[Tag]:
    """Title, camera, dates and author from a photo's EXIF block, and its XMP and IPTC, in the form
    that tifffile expects."""
    for tag in KEPT_TIFF_TAGS:
        value = tags.get(tag)
        if isinstance(value, str):
            text = value.encode("latin-1") + b"\0"  # as Pillow read it
            yield tag, _TEXT, len(text), text, True
        elif isinstance(value, bytes):
            yield tag, _BYTES, len(value), value, True
    if photo.xmp:
        yield _XMP_TAG, _BYTES, len(photo.xmp), photo.xmp, True
    if photo.iptc:
        yield IPTC_TAG, _UNDEFINED, len(photo.iptc), photo.iptc, True
