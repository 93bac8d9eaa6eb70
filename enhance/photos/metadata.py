"""Reads a photo's metadata, EXIF, XMP and IPTC, and edits it as bytes.

It is edited in place so that nothing else moves, because camera makers' notes break when moved.
"""

import re
import struct
from contextlib import suppress
from typing import Any, cast
from xml.dom import minidom
from xml.parsers.expat import ExpatError

from PIL import Image, TiffImagePlugin, TiffTags

from enhance.photos.ifd import EXIF_IFD, EXIF_PREFIX, GPS_IFD, Ifd
from enhance.photos.orientation import ORIENTATION, upright_exif, upright_xmp

IPTC_TAG = 33723
# Bytes; a tree of them takes some two hundred times as much memory. Lightroom writes some 100 KB.
_MOST_XMP = 256_000
# What costs a parser gigabytes: it keeps each name with all of its namespace.
_LONG_NAMESPACE = re.compile(rb"xmlns(?::[^\s=:]*)?\s*=\s*(?:\"[^\"]{300}|'[^']{300})")
KEPT_TIFF_TAGS = (269, 270, 271, 272, 305, 306, 315, 316, 33432, *range(40091, 40096))
"""TIFF tags that describe the photo rather than the file: title, camera, dates, author."""

_IPTC_RESOURCE = 0x0404  # among the resources of a Photoshop block


def parsed_xmp(xmp: bytes) -> minidom.Document:
    """An XMP packet as a tree. Raises ValueError unless it is well-formed and harmless."""
    # A document type could define entities, and with them gigabytes of text. Zeros are in UTF-16,
    # which no program writes, and in which these checks would overlook what they look for.
    if len(xmp) > _MOST_XMP or any(bad in xmp for bad in (b"\0", b"<!DOCTYPE")):
        raise ValueError("too long, no UTF-8, or with a document type")
    if _LONG_NAMESPACE.search(xmp):
        raise ValueError("a long namespace")
    try:
        return minidom.parseString(xmp)  # noqa: S318, see above
    except ExpatError as error:
        raise ValueError(str(error)) from error


def written_xmp(packet: minidom.Document) -> bytes:
    """The inverse of `parsed_xmp`. Raises RecursionError if the tree is too deep."""
    return "".join(node.toxml() for node in packet.childNodes).encode()


def read_exif(image: Image.Image) -> bytes | None:
    """The EXIF block of an opened photo, with its orientation reset; None if it has none."""
    exif = image.getexif()
    if image.format == "TIFF":  # only what does not describe its layout
        blocks = sub_blocks(exif)
        kept = {tag: exif[tag] for tag in KEPT_TIFF_TAGS if tag in exif}
        head = b"II*\0" if exif.endian == "<" else b"MM\0*"
        tiff = head + struct.pack(f"{exif.endian}I", 8) + _written(kept, head).tobytes(8)
        return EXIF_PREFIX + add_sub_blocks(tiff, blocks) if kept or blocks else None
    raw = image.info.get("exif")
    if isinstance(raw, bytes) and (kept_exif := upright_exif(raw)):
        return kept_exif
    exif.pop(ORIENTATION, None)
    return exif.tobytes() if len(exif) else None


def read_dpi(image: Image.Image) -> tuple[float, float] | None:
    """The resolution of an opened photo in dots per inch; None if it has none that makes sense."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if 1 <= x <= 1e5 and 1 <= y <= 1e5 else None


def read_xmp(image: Image.Image) -> bytes | None:
    """The XMP packet of an opened photo, with its orientation reset; None if it has none."""
    xmp = image.info.get("xmp")
    return upright_xmp(xmp) if isinstance(xmp, bytes) and xmp else None


def read_iptc(image: Image.Image, data: bytes) -> bytes | None:
    """The IPTC data sets of the file `data`, opened as `image`; None if it has none."""
    if image.format != "TIFF":
        blocks = image.info.get("photoshop")
        iptc = blocks.get(_IPTC_RESOURCE) if isinstance(blocks, dict) else None
        return iptc if isinstance(iptc, bytes) and iptc else None
    with suppress(AttributeError, LookupError, ValueError, struct.error):  # BigTIFF, or damaged
        # Not by Pillow, because the tag may claim to have any type.
        if iptc := Ifd.first(bytearray(data)).content(IPTC_TAG):
            return iptc
        blocks = cast(Any, image).get_photoshop_blocks()
        return blocks[_IPTC_RESOURCE]["data"] or None
    return None


def iptc_segment(iptc: bytes) -> bytes:
    """The IPTC data sets as a complete segment of a JPEG, in Photoshop's format."""
    body = b"Photoshop 3.0\0" + photoshop_block(iptc)
    return b"\xff\xed" + struct.pack(">H", 2 + len(body)) + body


def photoshop_block(iptc: bytes) -> bytes:
    """The IPTC data sets as the only resource of a Photoshop block, as stored in a JPEG."""
    head = b"8BIM" + struct.pack(">HHI", _IPTC_RESOURCE, 0, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2)


def sub_blocks(tags: Image.Exif) -> dict[int, dict[int, Any]]:
    """The camera settings and the location of an EXIF block, which are in lists of their own."""
    return {ifd: block for ifd in (EXIF_IFD, GPS_IFD) if (block := dict(tags.get_ifd(ifd)))}


def add_sub_blocks(tiff: bytes, blocks: dict[int, dict[int, Any]]) -> bytes:
    """A TIFF with lists of tags appended, and a new main list that points to them."""
    data = bytearray(tiff)
    ifd = Ifd.first(data)
    order = ifd.order
    entries = [bytes(data[entry : entry + 12]) for entry in ifd.entries]
    (following,) = struct.unpack_from(order + "I", data, ifd.entries.stop)
    for tag, block in blocks.items():
        data += bytes(len(data) % 2)
        entries.append(struct.pack(order + "HHII", tag, 4, 1, len(data)))
        data += _written(block, bytes(data[:4])).tobytes(len(data))
    data += bytes(len(data) % 2)
    struct.pack_into(order + "I", data, 4, len(data))
    entries.sort(key=lambda entry: struct.unpack_from(order + "H", entry))
    data += struct.pack(order + "H", len(entries)) + b"".join(entries)
    data += struct.pack(order + "I", following)
    return bytes(data)


def _written(block: dict[int, Any], magic: bytes) -> TiffImagePlugin.ImageFileDirectory_v2:
    written = TiffImagePlugin.ImageFileDirectory_v2(magic + bytes(4))
    for tag, value in block.items():
        if isinstance(value, str):  # encoded as it was decoded; Pillow would write ASCII only
            written[tag] = value.encode("latin-1")
            written.tagtype[tag] = TiffTags.ASCII
        elif not isinstance(value, dict):  # a dict is a nested list of tags, of no use to people
            written[tag] = value
    return written
