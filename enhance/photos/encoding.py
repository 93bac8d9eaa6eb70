"""Encodes enhanced pixels as a file."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from enhance.i18n import Sentence, say
from enhance.options import Metadata, OutputFormat
from enhance.photos.deep import png_blocks, to_8_bit, write_deep_png, write_tiff
from enhance.photos.location import without_location
from enhance.photos.metadata import iptc_segment
from enhance.photos.provenance import Provenance, recorded
from enhance.records import Photo, Pixels


@dataclass(frozen=True)
class _Writer:
    """What an output format can store.

    side: the largest width or height. blocks: the fields of a `Photo` besides its pixels, and the
    most bytes of each.
    """

    extension: str
    side: int
    blocks: dict[str, int]
    alpha: bool = True
    deep: bool = False


_ANY = 2**31
_WEB = {"icc": _ANY, "exif": _ANY, "xmp": _ANY}
_WRITERS = {
    # One segment each, minus its headers; a profile may take 255 segments.
    "JPEG": _Writer(
        "jpg",
        65_500,
        {"icc": 255 * 65_519, "exif": 65_533, "xmp": 65_504, "iptc": 65_506, "dpi": _ANY},
        alpha=False,
    ),
    "PNG": _Writer("png", 2**31 - 1, _WEB | {"dpi": _ANY}, deep=True),
    "WEBP": _Writer("webp", 16_383, _WEB),
    "TIFF": _Writer("tif", 2**31 - 1, _WEB | {"iptc": _ANY, "dpi": _ANY}, deep=True),
    "BMP": _Writer("bmp", 2**31 - 1, {"dpi": _ANY}, alpha=False),
    "HEIF": _Writer("heic", 16_384, _WEB),
    "AVIF": _Writer("avif", 65_535, _WEB),
}
# The output format for "same" where the input format is never written.
_SAME = {"MPO": "JPEG", "GIF": "PNG"}
_BLOCK_NAMES = {"icc": "ICC profile", "exif": "EXIF", "xmp": "XMP", "iptc": "IPTC"}


def encode(
    canvas: Pixels,
    alpha: Pixels | None,
    photo: Photo,
    wanted: OutputFormat,
    quality: int,
    metadata: Metadata = "keep",
    done: Provenance | None = None,
) -> tuple[bytes, str, tuple[Sentence, ...]]:
    """Encode pixels as a file that carries the photo's profile, metadata and resolution.

    canvas: RGB (height, width, 3), uint8 or uint16. alpha: (height, width) of that dtype, or None.
    metadata: "no-location" leaves out where the photo was taken, "strip" all EXIF, XMP and IPTC.
    done: what the XMP says was done to the photo, unless metadata is "strip".
    Returns the bytes, the file name extension, and notes about what the format could not store.
    """
    notes: list[Sentence] = []
    kind = _kind(photo.format, wanted)
    if wanted == "same" and photo.format == "GIF":
        notes.append(say("Saved as PNG: GIF supports only 256 colors."))
    height, width = canvas.shape[:2]
    if max(width, height) > _WRITERS[kind].side:
        side = _WRITERS[kind].side
        notes.append(
            say(
                "Saved as PNG: {format} supports at most {side} pixels per side.",
                format=kind,
                side=side,
            )
        )
        kind = "PNG"
    writer = _WRITERS[kind]
    if canvas.dtype == np.uint16 and not writer.deep:
        canvas, alpha = to_8_bit(canvas), None if alpha is None else to_8_bit(alpha)
        notes.append(say("{format} stores 8 bits per channel; the photo had 16.", format=kind))
    if alpha is not None and not writer.alpha:
        canvas, alpha = _on_white(canvas, alpha), None
        notes.append(
            say(
                "{format} does not support transparency: the photo was placed on white.",
                format=kind,
            )
        )
    if metadata == "strip":
        photo = replace(photo, exif=None, xmp=None, iptc=None)
    elif metadata == "no-location":
        photo = without_location(photo)
    photo = _holdable(photo, kind, notes)
    if done and metadata != "strip" and "xmp" in writer.blocks:
        photo = replace(photo, xmp=_with_provenance(photo.xmp, done, kind, notes))
    data = _write(kind, _channels(canvas, alpha, photo.gray), photo, quality)
    return data, writer.extension, tuple(notes)


def expected_extension(name: str, wanted: OutputFormat) -> str:
    """The extension that a photo's result will have, as far as the photo's name tells."""
    formats = Image.registered_extensions()
    kind = _kind(formats.get(Path(name).suffix.lower(), "JPEG"), wanted)
    return _WRITERS[kind].extension


def _kind(format: str, wanted: OutputFormat) -> str:
    """Pillow's name of the format to write for a photo of this format."""
    return _SAME.get(format, format) if wanted == "same" else wanted.upper()


def _holdable(photo: Photo, kind: str, notes: list[Sentence]) -> Photo:
    """The photo without what the format cannot store."""
    room = _WRITERS[kind].blocks
    for field, name in _BLOCK_NAMES.items():
        block = getattr(photo, field)
        if block is None or len(block) <= room.get(field, 0):
            continue
        photo = replace(photo, **cast(Any, {field: None}))
        notes.append(
            say(
                "The {block} metadata was left out: {format} stores at most 64 KB of it.",
                block=name,
                format=kind,
            )
            if field in room
            else say(
                "The {block} metadata was left out: {format} cannot store it.",
                block=name,
                format=kind,
            )
        )
    return photo if "dpi" in room else replace(photo, dpi=None)


def _with_provenance(
    xmp: bytes | None, done: Provenance, kind: str, notes: list[Sentence]
) -> bytes | None:
    """The XMP packet that says what was done; the same as before if there is no room for that."""
    try:
        packet = recorded(xmp, done)
    except ValueError:
        notes.append(say("The XMP metadata was left out: it cannot be read."))
        packet = recorded(None, done)
    if len(packet) <= _WRITERS[kind].blocks["xmp"]:
        return packet
    notes.append(say("The XMP metadata leaves no room for what was done to the photo."))
    return xmp


def _on_white(canvas: Pixels, alpha: Pixels) -> Pixels:
    top = np.iinfo(canvas.dtype).max
    share = (alpha.astype(np.float32) / top)[..., None]
    return np.rint(canvas * share + top * (1 - share)).astype(canvas.dtype)


def _channels(canvas: Pixels, alpha: Pixels | None, gray: bool) -> Pixels:
    """Color or gray, with or without alpha, as one array (height, width[, channels])."""
    color: Pixels = canvas
    if gray:
        color = cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)  # type: ignore[assignment]
    if alpha is None:
        return color
    return np.dstack([color, alpha])


def _write(kind: str, pixels: Pixels, photo: Photo, quality: int) -> bytes:
    if kind == "TIFF":
        return write_tiff(pixels, photo)
    if pixels.dtype == np.uint16:
        return write_deep_png(pixels, photo)
    kept = {"icc_profile": photo.icc, "exif": photo.exif, "xmp": photo.xmp, "dpi": photo.dpi}
    kept = {name: value for name, value in kept.items() if value}
    iptc = iptc_segment(photo.iptc) if photo.iptc else b""
    settings: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": quality, "subsampling": 0, "extra": iptc, **kept},
        "PNG": {"compress_level": 3, **png_blocks(photo)},
        "WEBP": {
            "quality": quality,
            "method": 4,
            "exact": True,
            "lossless": photo.lossless,
            **kept,
        },
        "BMP": kept,
        "HEIF": {"quality": quality, "chroma": 444, **kept},
        "AVIF": {"quality": quality, "subsampling": "4:4:4", **kept},
    }
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **settings[kind])
    return file.getvalue()
