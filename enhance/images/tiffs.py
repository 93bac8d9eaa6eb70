"""TIFF structures, which EXIF blocks are too, and whether their tags cost too much to be read."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import TypeAlias

import numpy as np

from enhance.images.costly import (
    LARGE_METADATA,
    STATED_TWICE,
    at_most,
    check_pictures,
    check_pieces,
)
from enhance.sentences import say

Data: TypeAlias = "bytes | mmap"

EXIF_IFD, GPS_IFD = 34665, 34853
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of one value, by the type of a TIFF tag."""

EXIF_PREFIX = b"Exif\0\0"

_MAX_TAGS = 65_535  # in a list
_MAX_NUMBERS = 1_000_000  # as tags and their values: each tile of a picture has two
_SLACK = 1_000_000  # bytes that tags may have in common, or pixels of a tile outside the picture

_INTEROP_IFD = 40965
# What a value counts, by type: bytes and text stay as they are, a fraction is a large object.
_NUMBERS = {3: 1, 4: 1, 5: 8, 6: 1, 8: 1, 9: 1, 10: 8, 11: 1, 12: 1, 13: 1, 16: 1}
_POINTERS = {3: "H", 4: "I", 13: "I", 16: "Q"}
_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_PLACES = ((273, 279), (324, 325))  # of strips and of tiles: where they start, their bytes
# Tags that decoders must agree on: if one stands twice, some take the first and some the last.
_LAYOUT = {_WIDTH, _LENGTH, 258, 259, 262, 266, 273, 277, 278, 279, 284}
_LAYOUT |= {_TILE_WIDTH, _TILE_LENGTH, 324, 325, 338, 339}


def check_tags(block: Data) -> None:
    """Raises Costly when the tags of a TIFF, or of an EXIF block, have far more bytes than it."""
    while block[:6] == EXIF_PREFIX:
        block = block[6:]
    for tiff in _readings(block):
        tiff.check()


def pictures_in_tiff(data: Data) -> int:
    """How many pictures are in a TIFF. Raises Costly when there are very many."""
    return max((len(list(tiff.chain())) for tiff in _readings(data)), default=1)


def check_layout(data: Data) -> None:
    """Raises Costly when the pieces of a TIFF's pictures are larger than they may be."""
    for tiff in _readings(data):
        tiff.check_layout()


def _readings(data: Data) -> Iterator[_Tiff]:
    """The ways in which decoders read a TIFF structure; none where they do not."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return
    if 42 in data[2:4] or data[:4] == b"MM\0+":  # of the latter, Pillow does not see what it is
        yield _Tiff(data, order, big=False)
    if 43 in data[2:4]:
        yield _Tiff(data, order, big=True)


@dataclass(frozen=True)
class _Tag:
    """An entry of a list: value is where its values start if they are outside the list."""

    code: int
    kind: int
    count: int
    value: int
    inside: bool

    @property
    def size(self) -> int:
        return SIZES.get(self.kind, 0) * self.count


@dataclass(frozen=True)
class _Tiff:
    """Lists of tags, with numbers of 4 bytes, or of 8 in a big one."""

    data: Data
    order: str
    big: bool

    @property
    def first(self) -> int:
        """Where the main list starts."""
        return self._number(8 if self.big else 4)

    def chain(self) -> Iterator[int]:
        """Where the lists of the pictures start."""
        seen: set[int] = set()
        at = self.first
        while at and at not in seen and at + 2 <= len(self.data):
            seen.add(at)
            check_pictures(len(seen))
            yield at
            at = self._number(self._end(at))

    def check(self) -> None:
        """Raises Costly when all values together are far more than the data."""
        todo, seen = [self.first], set[int]()
        size = numbers = 0
        while todo:
            start = todo.pop()
            if start in seen:
                continue
            seen.add(start)
            for tag in self._tags(start):
                if not tag.inside:
                    if tag.value + tag.size > len(self.data):
                        continue  # decoders leave out what is cut off
                    size += tag.size
                numbers += 1 + tag.count * _NUMBERS.get(tag.kind, 0)
                if tag.code in (EXIF_IFD, GPS_IFD, _INTEROP_IFD):
                    todo.append(self._value(tag))
            at_most(len(self.data) + _SLACK, size, LARGE_METADATA)
            at_most(_MAX_NUMBERS, numbers, LARGE_METADATA)

    def check_layout(self) -> None:
        """Raises Costly when the picture's pieces are larger than it, or decoders may disagree."""
        tags: dict[int, _Tag] = {}
        for tag in self._tags(self.first):
            if tag.code in _LAYOUT:
                at_most(0, tag.code in tags, STATED_TWICE)
                tags[tag.code] = tag
        side = {code: self._value(tags[code]) for code in tags if code <= _LENGTH}
        tile = [self._value(tags[code]) for code in (_TILE_WIDTH, _TILE_LENGTH) if code in tags]
        if len(tile) == 2:
            pixels = side.get(_WIDTH, 0) * side.get(_LENGTH, 0)
            reason = say("Its pieces are larger than the picture.")
            at_most(4 * pixels + _SLACK, tile[0] * tile[1], reason)
        for places, sizes in _PLACES:
            if places in tags and sizes in tags:
                starts, lengths = self._numbers(tags[places]), self._numbers(tags[sizes])
                count = min(len(starts), len(lengths))
                room = np.maximum(len(self.data) - starts[:count], 0)
                total = float(np.minimum(lengths[:count], room).sum())
                check_pieces(int(total), len(self.data))

    def _tags(self, start: int) -> Iterator[_Tag]:
        form, head, room = ("HHQQ", 8, 8) if self.big else ("HHII", 2, 4)
        form = self.order + form
        step = struct.calcsize(form)
        count = self._count(start)
        at_most(_MAX_TAGS, count, LARGE_METADATA)
        body = self.data[start + head : start + head + step * count]
        for entry, parts in enumerate(struct.iter_unpack(form, body[: len(body) // step * step])):
            code, kind, values, value = parts
            inside = SIZES.get(kind, 0) * values <= room
            own = start + head + step * (entry + 1) - room
            yield _Tag(code, kind, values, own if inside else value, inside)

    def _count(self, start: int) -> int:
        head = 8 if self.big else 2
        if start + head > len(self.data):
            return 0
        form = self.order + ("Q" if self.big else "H")
        return int(struct.unpack_from(form, self.data, start)[0])

    def _end(self, start: int) -> int:
        """Where the address of the next list stands."""
        head, step = (8, 20) if self.big else (2, 12)
        return start + head + step * self._count(start)

    def _number(self, at: int) -> int:
        form, size = ("Q", 8) if self.big else ("I", 4)
        if at + size > len(self.data):
            return 0
        return int(struct.unpack_from(self.order + form, self.data, at)[0])

    def _value(self, tag: _Tag) -> int:
        """The first value of a tag; 0 where it is no whole number."""
        form = _POINTERS.get(tag.kind)
        if form is None or tag.count < 1 or tag.value + SIZES[tag.kind] > len(self.data):
            return 0
        return int(struct.unpack_from(self.order + form, self.data, tag.value)[0])

    def _numbers(self, tag: _Tag) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        size = SIZES.get(tag.kind, 0)
        if tag.kind not in _POINTERS or tag.value + size * tag.count > len(self.data):
            return np.empty(0)
        values = np.frombuffer(self.data, f"{self.order}u{size}", tag.count, tag.value)
        return values.astype(np.float64)
