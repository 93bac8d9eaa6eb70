"""Encodes enhanced pixels as a file."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, cast

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image, PngImagePlugin

from enhance.i18n import Sentence, say
from enhance.options import Metadata, OutputFormat
from enhance.photos.location import without_location
from enhance.photos.metadata import (
    IPTC_TAG,
    KEPT_TIFF_TAGS,
    add_sub_blocks,
    iptc_segment,
    sub_blocks,
)
from enhance.photos.pixels import to_8_bit
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
_PNG_HEADER = 33  # bytes: the signature and the first chunk
_XMP_TAG = 700
_BYTES, _TEXT, _UNDEFINED = 1, 2, 7  # types of TIFF tags
Tag: TypeAlias = tuple[int, int, int, bytes, bool]
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
    pixels = cast(Pixels, cv2.cvtColor(canvas, cv2.COLOR_RGB2GRAY)) if photo.gray else canvas
    if alpha is not None:
        pixels = np.dstack([pixels, alpha])
    return _write(kind, pixels, photo, quality), writer.extension, tuple(notes)


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


def _write(kind: str, pixels: Pixels, photo: Photo, quality: int) -> bytes:
    if kind == "TIFF":
        return _tiff(pixels, photo)
    if kind == "PNG":
        return _png(pixels, photo)
    kept = {"icc_profile": photo.icc, "exif": photo.exif, "xmp": photo.xmp, "dpi": photo.dpi}
    kept = {name: value for name, value in kept.items() if value}
    iptc = iptc_segment(photo.iptc) if photo.iptc else b""
    own: dict[str, dict[str, Any]] = {
        "JPEG": {"subsampling": 0, "extra": iptc},
        "WEBP": {"method": 4, "exact": True, "lossless": photo.lossless},
        # libheif's own choice, "slow", takes twice as long for 3 % less.
        "HEIF": {"chroma": 444, "enc_params": {"preset": "medium"}},
        "AVIF": {"subsampling": "4:4:4"},
    }
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=quality, **kept, **own.get(kind, {}))
    return file.getvalue()


def _png(pixels: Pixels, photo: Photo) -> bytes:
    """Encode a PNG. pixels: uint8 or uint16, (h, w) or (h, w, 2 to 4)."""
    png = imagecodecs.png_encode(pixels, 3, strategy=imagecodecs.PNG.STRATEGY.RLE)
    texts = PngImagePlugin.PngInfo()
    if photo.xmp:
        texts.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + photo.xmp)
    blocks = {"icc_profile": photo.icc, "exif": photo.exif, "dpi": photo.dpi, "pnginfo": texts}
    file = io.BytesIO()  # Pillow writes what is between the header and the pixels
    Image.new("L", (1, 1)).save(file, "PNG", **blocks)
    between = file.getvalue()[_PNG_HEADER : file.getvalue().rindex(b"IDAT") - 4]
    return b"".join([png[:_PNG_HEADER], between, png[_PNG_HEADER:]])


def _tiff(pixels: Pixels, photo: Photo) -> bytes:
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
