"""Reads and writes photos with 16 bits per channel, which Pillow would reduce to 8; also writes
8-bit TIFFs."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from typing import Any, cast

import cv2
import numpy as np
import tifffile
from PIL import Image, PngImagePlugin

from enhance.photos.decode_limits import check_same
from enhance.photos.metadata import IPTC_TAG, KEPT_TIFF_TAGS, add_sub_blocks, sub_blocks
from enhance.photos.orientation import Reader
from enhance.records import Photo, Pixels

_PNG_BAND = 64_000_000  # bytes compressed at once
_PNG_KINDS = {1: 0, 2: 4, 3: 2, 4: 6}  # channels → color type
# Values of TIFF tags: the meaning of 0, one plane per channel, colors premultiplied by alpha.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_SEPARATE = 2
_PREMULTIPLIED = 1
_XMP_TAG = 700
_WITHOUT_HELP = {1, 8, 32946}  # compressions that tifffile reads by itself: none and deflate


def to_8_bit(pixels: Pixels) -> Pixels:
    """uint16 pixels rounded to uint8."""
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits per channel, whatever Pillow's mode says."""
    if image.format == "PNG":
        return data[24] == 16  # the bit depth in the IHDR chunk
    if image.format == "TIFF":
        tags = cast(Any, image).tag_v2
        return set(tags.get(258, (1,))) == {16} and tags.get(262) in (
            _WHITE_IS_ZERO,
            _BLACK_IS_ZERO,
            _RGB,
        )
    return False


def read_deep(image: Image.Image, data: bytes) -> tuple[Pixels, Reader]:
    """The pixels: uint16, (h, w) or (h, w, 2 to 4), and which library has read them.

    Raises ValueError if they cannot be read correctly.
    """
    reader: Reader
    if image.format == "TIFF":
        pixels, reader = _read_tiff(data, image.size)
    else:
        pixels, reader = _opencv(data), "OpenCV"
        if data[25] == _PNG_KINDS[2]:  # gray with alpha, which OpenCV converts to color
            pixels = pixels[..., [0, 3]]
    check_same(pixels.shape[:2], image.size)
    return pixels, reader


def _read_tiff(data: bytes, size: tuple[int, int]) -> tuple[Pixels, Reader]:
    """The first picture of a 16-bit TIFF; see `read_deep`.

    size: (width, height), in either orientation, that has passed the size check.
    """
    with tifffile.TiffFile(io.BytesIO(data), is_lsm=False) as file:
        page = cast(tifffile.TiffPage, file.pages[0])
        check_same((page.imagewidth, page.imagelength), size, math.prod(page.shape))
        reader: Reader = "tifffile" if page.compression in _WITHOUT_HELP else "OpenCV"
        planes = page.planarconfig == _SEPARATE and page.samplesperpixel > 1
        if reader == "tifffile":
            pixels = page.asarray()
            pixels = np.moveaxis(pixels, 0, -1) if planes else pixels
        elif planes:  # OpenCV decodes these wrongly
            raise ValueError("planes in a compression that cannot be read")
        else:
            pixels = _opencv(data)
        if pixels.dtype != np.uint16 or pixels.ndim not in (2, 3):
            raise ValueError("not a 16-bit picture")
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if page.photometric == _WHITE_IS_ZERO:
            pixels = np.concatenate([~pixels[..., :1], pixels[..., 1:]], axis=2)
        alpha = page.extrasamples[:1]
        pixels = pixels[..., : (3 if page.photometric == _RGB else 1) + len(alpha)]
        if alpha == (_PREMULTIPLIED,):
            pixels = _divided(pixels)
        return pixels[..., 0] if pixels.shape[2] == 1 else pixels, reader


def _opencv(data: bytes) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise ValueError("not a 16-bit picture")
    if pixels.ndim == 3:
        order = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
        pixels = cv2.cvtColor(pixels, order[pixels.shape[2]])
    return cast(Pixels, pixels)


def _divided(pixels: Pixels) -> Pixels:
    """Undo the premultiplication of colors by alpha (the last channel)."""
    color, alpha = pixels[..., :-1].astype(np.float32), pixels[..., -1:]
    color *= np.float32(65535) / np.maximum(alpha, 1)
    return np.concatenate([np.rint(color.clip(0, 65535)).astype(np.uint16), alpha], axis=2)


def write_deep_png(pixels: Pixels, photo: Photo) -> bytes:
    """Encode a PNG. pixels: uint16, (h, w) or (h, w, 2 to 4)."""
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    channels = rows.shape[1] // width
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_KINDS[channels], 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n", _chunk(b"IHDR", header)]
    other = io.BytesIO()  # Pillow writes what is between the header and the pixels
    Image.new("L", (1, 1)).save(other, "PNG", **png_blocks(photo))
    parts.append(other.getvalue()[33 : other.getvalue().rindex(b"IDAT") - 4])
    squeeze = zlib.compressobj(3)
    step = max(1, _PNG_BAND // rows[0].nbytes)
    for top in range(0, height, step):
        band = rows[top : top + step].astype(">u2").view(np.uint8)
        # PNG's filter 1: subtract from each byte the corresponding byte of the previous pixel.
        filtered = np.ones((len(band), band.shape[1] + 1), np.uint8)
        filtered[:, 1:] = band
        filtered[:, 1 + 2 * channels :] -= band[:, : -2 * channels]
        parts.append(_chunk(b"IDAT", squeeze.compress(filtered.data)))
    parts += [_chunk(b"IDAT", squeeze.flush()), _chunk(b"IEND", b"")]
    return b"".join(parts)


def png_blocks(photo: Photo) -> dict[str, Any]:
    """What Pillow is told of a photo's profile, metadata and resolution, to write them to a PNG."""
    texts = PngImagePlugin.PngInfo()
    if photo.xmp:
        texts.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + photo.xmp)
    blocks = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi}
    return {"pnginfo": texts, **{name: block for name, block in blocks.items() if block}}


def _chunk(tag: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


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
