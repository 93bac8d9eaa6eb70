"""Removes the location, where a photo was taken, from its EXIF, XMP and IPTC."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from xml.parsers import expat

from enhance.photos.ifd import EXIF_PREFIX, GPS_IFD, Ifd
from enhance.records import Photo

# XMP properties that reveal a location, with any namespace prefix.
_XMP_LOCATION = re.compile(
    r"(?:.*:)?(?:GPS\w*|City|State|Country|CountryCode|Location|LocationCreated|LocationShown)"
)
_XML_ATTRIBUTE = re.compile(rb"""\s([^\s=/>"']+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_IPTC_LOCATION = (26, 27, 90, 92, 95, 100, 101)  # datasets of record 2


def without_location(photo: Photo) -> Photo:
    """The photo with nothing in EXIF, XMP or IPTC that reveals where it was taken.

    A block that cannot be parsed is removed as a whole.
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
    if b"\0" in xmp:  # it is in UTF-16
        return None
    try:
        kept = _LocationRemover(xmp).rest()
    except (expat.ExpatError, ValueError):
        return None
    return kept if b"GPS" not in kept else None


class _LocationRemover:
    """Removes what reveals a location from XMP, in one pass."""

    def __init__(self, xmp: bytes) -> None:
        self._xmp = xmp
        self._kept: list[bytes] = []
        self._done = 0  # everything before this offset has been either kept or removed
        self._depth = 0  # depth inside an element that reveals a location; 0 outside
        self._ends = False  # such an element ends at the parser's next position
        self._tag = False  # the tag that starts at `_done` has attributes that reveal a location
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.DefaultHandler = self._other
        self._parser.StartDoctypeDeclHandler = self._doctype

    def rest(self) -> bytes:
        """The packet without the location. Raises ExpatError or ValueError if it is not XMP."""
        self._parser.Parse(self._xmp, True)
        self._reach(len(self._xmp))
        return b"".join([*self._kept, self._xmp[self._done :]])

    def _reach(self, at: int) -> None:
        if self._tag:
            self._kept.append(_XML_ATTRIBUTE.sub(_unless_location, self._xmp[self._done : at]))
        if self._tag or self._ends:
            self._done = at
        self._tag = self._ends = False

    def _keep(self, at: int) -> None:
        self._kept.append(self._xmp[self._done : at])
        self._done = at

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        at = self._parser.CurrentByteIndex
        self._reach(at)
        if self._depth or _XMP_LOCATION.fullmatch(name):
            if not self._depth:
                self._keep(at)
            self._depth += 1
        elif any(map(_XMP_LOCATION.fullmatch, attributes)):
            self._keep(at)
            self._tag = True

    def _end(self, name: str) -> None:
        self._reach(self._parser.CurrentByteIndex)
        if self._depth:
            self._depth -= 1
            self._ends = not self._depth

    def _other(self, text: str) -> None:
        self._reach(self._parser.CurrentByteIndex)

    def _doctype(self, *_: object) -> None:
        raise ValueError("a packet of XMP has no document type, which could define entities")


def _unless_location(attribute: re.Match[bytes]) -> bytes:
    name = attribute[1].decode("utf-8", "replace")
    return b"" if _XMP_LOCATION.fullmatch(name) else attribute[0]


def _iptc_without_location(iptc: bytes) -> bytes | None:
    try:
        kept = [
            part
            for record, dataset, part in _data_sets(iptc)
            if (record, dataset) not in {(2, number) for number in _IPTC_LOCATION}
        ]
    except ValueError:
        return None
    return b"".join(kept) or None


def _data_sets(iptc: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(record, data set number, its bytes with their header) of each IPTC data set."""
    at, end = 0, len(iptc.rstrip(b"\0"))  # TIFF pads with zeros
    while at < end:
        if len(iptc) < at + 5:
            raise ValueError("cut off")
        marker, record, dataset, size = struct.unpack_from(">BBBH", iptc, at)
        if marker != 0x1C or size & 0x8000:
            raise ValueError("no plain IPTC")
        yield record, dataset, iptc[at : at + 5 + size]
        at += 5 + size
