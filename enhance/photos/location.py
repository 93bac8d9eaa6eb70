"""Removes the location, where a photo was taken, from its EXIF, XMP and IPTC."""

import re
import struct
from dataclasses import replace
from typing import Any

from enhance.photos.ifd import EXIF_PREFIX, GPS_IFD, Ifd
from enhance.photos.metadata import parsed_xmp, written_xmp
from enhance.records import Photo

# XMP properties that reveal a location, with any namespace prefix.
_XMP_LOCATION = re.compile(
    r"(?:.*:)?(?:GPS\w*|City|State|Country|CountryCode|Location|LocationCreated|LocationShown)"
)
_IPTC_LOCATION = (26, 27, 90, 92, 95, 100, 101)  # datasets of record 2


def without_location(photo: Photo) -> Photo:
    """The photo with nothing in EXIF, XMP or IPTC that reveals where it was taken.

    A block that cannot be parsed, or is far too long, is removed as a whole.
    """
    return replace(
        photo,
        exif=photo.exif and _without_position(photo.exif),
        xmp=photo.xmp and _xmp_without_location(photo.xmp),
        iptc=photo.iptc and _iptc_without_location(photo.iptc),
    )


def _without_position(exif: bytes) -> bytes | None:
    body = bytearray(exif.removeprefix(EXIF_PREFIX))
    try:
        ifd = Ifd.first(body)
        if (entry := ifd.find(GPS_IFD)) is not None:
            (start,) = struct.unpack_from(ifd.order + "I", body, entry + 8)
            ifd.remove(entry)
            if start != ifd.start:
                Ifd(body, ifd.order, start).erase()
        if ifd.find(GPS_IFD) is not None:  # a second one, which no program writes
            return None
    except (ValueError, struct.error):
        return None
    return EXIF_PREFIX + bytes(body)


def _xmp_without_location(xmp: bytes) -> bytes | None:
    try:
        packet = parsed_xmp(xmp)
        elements = packet.getElementsByTagName("*")
        parents: list[Any] = [packet, *elements]
        # Not by `removeChild`, which searches all children, nor by `removeAttribute`, which goes
        # through all parents.
        for parent in parents:
            parent.childNodes[:] = [
                child for child in parent.childNodes if not _XMP_LOCATION.fullmatch(child.nodeName)
            ]
        for element in elements:
            for attribute in [*element.attributes.values()]:
                if _XMP_LOCATION.fullmatch(attribute.name):
                    attribute.unlink()
        kept = written_xmp(packet)
    except (ValueError, RecursionError):
        return None
    return kept if b"GPS" not in kept else None


def _iptc_without_location(iptc: bytes) -> bytes | None:
    kept: list[bytes] = []
    at, end = 0, len(iptc.rstrip(b"\0"))  # TIFF pads with zeros
    while at < end:
        if len(iptc) < at + 5:
            return None
        marker, record, dataset, size = struct.unpack_from(">BBBH", iptc, at)
        if marker != 0x1C or size & 0x8000:  # no plain IPTC
            return None
        if record != 2 or dataset not in _IPTC_LOCATION:
            kept.append(iptc[at : at + 5 + size])
        at += 5 + size
    return b"".join(kept) or None
