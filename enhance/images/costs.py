"""Files that would take far more time or memory to open than their size lets one expect.

Decoders believe what a file says: that a thousand tags have the same megabyte as their value, or
that a picture comes in ten thousand passes. What is checked here is read once, front to back, and
nothing of it is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap
from typing import TypeAlias

import numpy as np

from enhance.sentences import Sentence, say

Data: TypeAlias = "bytes | mmap"

EXIF_IFD, GPS_IFD = 34665, 34853
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of one value, by the type of a TIFF tag."""

# Many times what photos have.
_MAX_SCANS = 100  # a progressive JPEG has about 10
_MAX_SEGMENTS = 4_000  # of a JPEG, before its pixels
_MAX_EXIF_SEGMENTS = 256  # decoders put them together one after the other
_MAX_CHUNKS = 100_000  # of a PNG
_MAX_COMPRESSED = 200  # texts and profiles of a PNG, each of which may become a megabyte
_MAX_PICTURES = 10_000
_MAX_BLOCKS = 1_000_000  # of a GIF, of 255 bytes
_MAX_COMMENT = 65_536  # bytes, of a GIF
_MAX_TAGS = 65_535  # in a list
_MAX_NUMBERS = 1_000_000  # as tags and their values: each tile of a picture has two
_SLACK = 1_000_000  # bytes that tags may have in common, or pixels of a tile outside the picture

_EXIF_HEAD, _MPO_HEAD = b"Exif\0\0", b"MPF\0"
_INTEROP_IFD = 40965
# What a value counts, by type: bytes and text stay as they are, a fraction is a large object.
_NUMBERS = {3: 1, 4: 1, 5: 8, 6: 1, 8: 1, 9: 1, 10: 8, 11: 1, 12: 1, 13: 1, 16: 1}
_POINTERS = {3: "H", 4: "I", 13: "I", 16: "Q"}
_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH = 256, 257, 322, 323
_PLACES = ((273, 279), (324, 325))  # of strips and of tiles: where they start, their bytes
# Tags that decoders must agree on: if one stands twice, some take the first and some the last.
_LAYOUT = {_WIDTH, _LENGTH, 258, 259, 262, 266, 273, 277, 278, 279, 284}
_LAYOUT |= {_TILE_WIDTH, _TILE_LENGTH, 324, 325, 338, 339}

_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # between the scans of a JPEG


class Costly(Exception):
    """A file that is better not opened; `reason` is a sentence."""

    def __init__(self, reason: Sentence) -> None:
        super().__init__(reason)
        self.reason = reason


def check_costs(data: Data) -> None:
    """Look through a file before a decoder does. Raises Costly; what is damaged is let through."""
    head = data[:4]
    if head[:2] == b"\xff\xd8":
        _check_jpeg(data)
    elif head == b"\x89PNG":
        _check_png(data)
    elif head[:3] == b"GIF":
        pictures_in_gif(data)
    elif data[4:8] == b"ftyp":
        _check_items(data)
    elif head[:2] in (b"II", b"MM"):
        check_tags(data)
        pictures_in_tiff(data)
        for tiff in _readings(data):
            tiff.check_layout()


def check_tags(block: Data) -> None:
    """Raises Costly when the tags of a TIFF, or of an EXIF block, have far more bytes than it."""
    while block[:6] == _EXIF_HEAD:
        block = block[6:]
    for tiff in _readings(block):
        tiff.check()


def pictures_in_tiff(data: Data) -> int:
    """How many pictures are in a TIFF. Raises Costly when there are very many."""
    return max((len(list(tiff.chain())) for tiff in _readings(data)), default=1)


def pictures_in_gif(data: Data) -> int:
    """How many pictures are in a GIF. Raises Costly when there is very much of anything."""
    at = 13 + _palette(data, 10)
    pictures = blocks = comment = 0
    while at < len(data) and (kind := data[at : at + 1]) != b";":
        if kind == b",":
            at += 11 + _palette(data, at + 9)
            pictures += 1
            _at_most(_MAX_PICTURES, pictures, _pictures(_MAX_PICTURES))
        elif kind == b"!":
            at += 2
        else:
            at += 1
            continue
        about = kind == b"!" and not pictures and data[at - 1 : at] == b"\xfe"
        while at < len(data) and (size := data[at]):
            at += 1 + size
            blocks += 1
            comment += size if about else 0
        at += 1
        _at_most(_MAX_BLOCKS, blocks, _blocks(_MAX_BLOCKS))
        _at_most(_MAX_COMMENT, comment, _large_metadata())
    return max(pictures, 1)


def _palette(data: Data, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _at_most(limit: int, count: int, reason: Sentence) -> None:
    if count > limit:
        raise Costly(reason)


def _blocks(limit: int) -> Sentence:
    return say("It has more than {limit} blocks of data.", limit=limit)


def _pictures(limit: int) -> Sentence:
    return say("It has more than {limit} pictures.", limit=limit)


def _large_pieces() -> Sentence:
    return say("Its pieces are larger than the file.")


def _large_metadata() -> Sentence:
    return say("Its metadata are larger than any photo's.")


def _check_jpeg(data: Data) -> None:
    at, segments = 2, 0
    exif: list[bytes] = []
    while match := _MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker == 0xDA or at + 2 > len(data):
            break
        segments += 1
        _at_most(_MAX_SEGMENTS, segments, _blocks(_MAX_SEGMENTS))
        if marker in (0x01, 0xD8, 0xD9):  # these have no content
            continue
        (size,) = struct.unpack_from(">H", data, at)
        content = data[at + 2 : at + size]
        if marker == 0xE1 and content.startswith(_EXIF_HEAD):
            exif.append(content.removeprefix(_EXIF_HEAD))
            _at_most(_MAX_EXIF_SEGMENTS, len(exif), _large_metadata())
        elif marker == 0xE2 and content.startswith(_MPO_HEAD):
            check_tags(content.removeprefix(_MPO_HEAD))
        at += max(size, 2)
    check_tags(b"".join(exif))
    _check_scans(data)


def _check_scans(data: Data) -> None:
    for number, _ in enumerate(re.finditer(rb"\xff\xda", data), 1):
        if number > _MAX_SCANS:  # as far as can be told without going through the segments
            break
    else:
        return
    at, scans = 2, 0
    while (match := _MARKER.search(data, at)) and match[1] != b"\xd9":
        at = match.end()
        scans += match[1] == b"\xda"
        _at_most(_MAX_SCANS, scans, say("It has more than {limit} scans.", limit=_MAX_SCANS))
        if match[1] not in b"\x01\xd8" and at + 2 <= len(data):
            at += max(struct.unpack_from(">H", data, at)[0], 2)


def _check_png(data: Data) -> None:
    at, chunks, headers, compressed = 8, 0, 0, 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        chunks += 1
        _at_most(_MAX_CHUNKS, chunks, _blocks(_MAX_CHUNKS))
        headers += kind == b"IHDR"
        compressed += kind in (b"iCCP", b"zTXt", b"iTXt")
        _at_most(1, headers, _stated_twice())
        _at_most(_MAX_COMPRESSED, compressed, _large_metadata())
        at += 12 + size


def _check_items(data: Data) -> None:
    """Of a HEIC or AVIF: pictures and metadata, each of many pieces of the file."""
    for meta, end in _boxes(data, b"meta", 0, len(data)):
        for start, stop in _boxes(data, b"iloc", meta + 4, end):
            total = sum(_lengths_of_items(data[start:stop], len(data)))
            _at_most(2 * len(data) + _SLACK, total, _large_pieces())


def _boxes(data: Data, wanted: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the content of boxes of a kind starts and ends."""
    while at + 8 <= end:
        size, kind, head = *struct.unpack_from(">I4s", data, at), 8
        if size == 1 and at + 16 <= end:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        stop = at + size if size else end
        if kind == wanted:
            yield at + head, min(stop, end)
        at = max(stop, at + 8)


def _lengths_of_items(body: bytes, rest: int) -> Iterator[int]:
    """The length of each piece in an `iloc` box; `rest` where a piece has no length."""
    version = body[0] if body else 0
    sizes = int.from_bytes(body[4:6], "big")
    of_start, of_length, of_base, of_index = (sizes >> bits & 15 for bits in (12, 8, 4, 0))
    of_number = 2 if version < 2 else 4
    skip = of_number + (2 if version else 0) + 2 + of_base
    at = 6 + of_number
    step = of_start + of_length + (of_index if version else 0)
    while at + skip + 2 <= len(body):
        at += skip
        pieces = int.from_bytes(body[at : at + 2], "big")
        at += 2
        for piece in range(at, min(at + step * pieces, len(body)), max(step, 1)):
            length = body[piece + step - of_length : piece + step]
            yield int.from_bytes(length, "big") or rest
        at += step * pieces


def _stated_twice() -> Sentence:
    return say("It states its size or layout more than once.")


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
            _at_most(_MAX_PICTURES, len(seen), _pictures(_MAX_PICTURES))
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
            _at_most(len(self.data) + _SLACK, size, _large_metadata())
            _at_most(_MAX_NUMBERS, numbers, _large_metadata())

    def check_layout(self) -> None:
        """Raises Costly when the picture's pieces are larger than it, or decoders may disagree."""
        tags: dict[int, _Tag] = {}
        for tag in self._tags(self.first):
            if tag.code in _LAYOUT:
                _at_most(0, tag.code in tags, _stated_twice())
                tags[tag.code] = tag
        side = {code: self._value(tags[code]) for code in tags if code <= _LENGTH}
        tile = [self._value(tags[code]) for code in (_TILE_WIDTH, _TILE_LENGTH) if code in tags]
        if len(tile) == 2:
            pixels = side.get(_WIDTH, 0) * side.get(_LENGTH, 0)
            reason = say("Its pieces are larger than the picture.")
            _at_most(4 * pixels + _SLACK, tile[0] * tile[1], reason)
        for places, sizes in _PLACES:
            if places in tags and sizes in tags:
                starts, lengths = self._numbers(tags[places]), self._numbers(tags[sizes])
                count = min(len(starts), len(lengths))
                room = np.maximum(len(self.data) - starts[:count], 0)
                total = float(np.minimum(lengths[:count], room).sum())
                _at_most(2 * len(self.data) + _SLACK, int(total), _large_pieces())

    def _tags(self, start: int) -> Iterator[_Tag]:
        form, head, room = ("HHQQ", 8, 8) if self.big else ("HHII", 2, 4)
        form = self.order + form
        step = struct.calcsize(form)
        count = self._count(start)
        _at_most(_MAX_TAGS, count, _large_metadata())
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
