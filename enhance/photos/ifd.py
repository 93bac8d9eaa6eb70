"""A list of tags in a TIFF structure, which EXIF is too, edited where it stands."""

from __future__ import annotations

import struct
from dataclasses import dataclass

EXIF_PREFIX = b"Exif\0\0"
EXIF_IFD, GPS_IFD = 34665, 34853
"""Tags that say where the lists of camera settings and of the location stand."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of one value, by the type of a tag."""


@dataclass(frozen=True)
class Ifd:
    """A list of tags inside a TIFF structure. Raises struct.error past its end.

    start: where the number of entries stands; each entry has 12 bytes.
    """

    body: bytearray
    order: str
    start: int

    @classmethod
    def first(cls, body: bytearray) -> Ifd:
        """The main list. Raises ValueError when `body` is no TIFF structure."""
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(body[:4]))
        if order is None:
            raise ValueError("no TIFF structure")
        return cls(body, order, struct.unpack_from(order + "I", body, 4)[0])

    @property
    def entries(self) -> range:
        """Where the entries stand."""
        (count,) = struct.unpack_from(self.order + "H", self.body, self.start)
        return range(self.start + 2, self.start + 2 + 12 * count, 12)

    def find(self, tag: int) -> int | None:
        """Where the entry of a tag stands."""
        for entry in self.entries:
            if struct.unpack_from(self.order + "H", self.body, entry)[0] == tag:
                return entry
        return None

    def content(self, tag: int) -> bytes:
        """The bytes of a tag's values, if these lie outside the list, as longer ones do."""
        entry = self.find(tag)
        if entry is None:
            return b""
        kind, count, at = struct.unpack_from(self.order + "HII", self.body, entry + 2)
        return bytes(self.body[at : at + SIZES.get(kind, 1) * count])

    def remove(self, entry: int) -> None:
        """Take an entry out; what follows moves up, nothing outside the list does."""
        end = self.entries.stop + 4  # the address of the next list belongs to this one
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
        for start, stop in sorted(ranges):  # each byte once, whatever they have in common
            start, stop = max(start, done), min(stop, len(self.body))
            if start < stop:
                self.body[start:stop] = bytes(stop - start)
                done = stop
