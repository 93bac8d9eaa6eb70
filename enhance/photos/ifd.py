"""Edits lists of tags (IFDs) of a TIFF structure in place; EXIF is such a structure too."""

from __future__ import annotations

import struct
from dataclasses import dataclass

EXIF_PREFIX = b"Exif\0\0"
EXIF_IFD, GPS_IFD = 34665, 34853
"""Tags that point to the lists of camera settings and of the location."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes per value, by tag type."""


@dataclass(frozen=True)
class Ifd:
    """A list of tags inside a TIFF structure. Access past the end of it raises struct.error.

    start: offset of the number of entries, which precedes the entries of 12 bytes each.
    """

    body: bytearray
    order: str
    start: int

    @classmethod
    def first(cls, body: bytearray) -> Ifd:
        """The main list. Raises ValueError if `body` is not a TIFF structure."""
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(body[:4]))
        if order is None:
            raise ValueError("no TIFF structure")
        return cls(body, order, struct.unpack_from(order + "I", body, 4)[0])

    @property
    def entries(self) -> range:
        """The offsets of the entries."""
        (count,) = struct.unpack_from(self.order + "H", self.body, self.start)
        return range(self.start + 2, self.start + 2 + 12 * count, 12)

    def find(self, tag: int) -> int | None:
        """The offset of a tag's entry."""
        for entry in self.entries:
            if struct.unpack_from(self.order + "H", self.body, entry)[0] == tag:
                return entry
        return None

    def content(self, tag: int) -> bytes:
        """The bytes of a tag's values if they are stored outside the list, as long ones are."""
        entry = self.find(tag)
        if entry is None:
            return b""
        kind, count, at = struct.unpack_from(self.order + "HII", self.body, entry + 2)
        return bytes(self.body[at : at + SIZES.get(kind, 1) * count])

    def remove(self, entry: int) -> None:
        """Remove an entry and close the gap. Nothing outside the list moves."""
        end = self.entries.stop + 4  # the list ends with the offset of the next one
        if end > len(self.body):
            raise struct.error("the list is cut off")
        self.body[entry:end] = self.body[entry + 12 : end] + bytes(12)
        struct.pack_into(self.order + "H", self.body, self.start, len(self.entries) - 1)

    def erase(self) -> None:
        """Overwrite all entries and their values with zeros."""
        ranges = [(self.start, self.entries.stop)]
        for entry in self.entries:
            _, kind, count, at = struct.unpack_from(self.order + "HHII", self.body, entry)
            size = SIZES.get(kind, 1) * count
            if size > 4:
                ranges.append((at, at + size))
        done = 0
        for start, stop in sorted(ranges):  # each byte only once, however much they overlap
            start, stop = max(start, done), min(stop, len(self.body))
            if start < stop:
                self.body[start:stop] = bytes(stop - start)
                done = stop
