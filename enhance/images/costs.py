"""Files that would take far more time or memory to open than their size lets one expect.

Decoders believe what a file says: that a thousand tags have the same megabyte as their value, or
that a picture comes in ten thousand passes. What is checked here is read once, front to back, and
nothing of it is decoded.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from enhance.images.costly import (
    LARGE_METADATA,
    STATED_TWICE,
    at_most,
    check_pictures,
    check_pieces,
)
from enhance.images.tiffs import (
    EXIF_PREFIX,
    Data,
    check_layout,
    check_tags,
    pictures_in_tiff,
)
from enhance.sentences import Sentence, say

# Many times what photos have.
_MAX_SCANS = 100  # a progressive JPEG has about 10
_MAX_SEGMENTS = 4_000  # of a JPEG, before its pixels
_MAX_EXIF_SEGMENTS = 256  # decoders put them together one after the other
_MAX_CHUNKS = 100_000  # of a PNG
_MAX_COMPRESSED = 200  # texts and profiles of a PNG, each of which may become a megabyte
_MAX_BLOCKS = 1_000_000  # of a GIF, of 255 bytes
_MAX_COMMENT = 65_536  # bytes, of a GIF

_MPO_HEAD = b"MPF\0"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # between the scans of a JPEG


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
        check_layout(data)


def pictures_in_gif(data: Data) -> int:
    """How many pictures are in a GIF. Raises Costly when there is very much of anything."""
    at = 13 + _palette(data, 10)
    pictures = blocks = comment = 0
    while at < len(data) and (kind := data[at : at + 1]) != b";":
        if kind == b",":
            at += 11 + _palette(data, at + 9)
            pictures += 1
            check_pictures(pictures)
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
        at_most(_MAX_BLOCKS, blocks, _blocks(_MAX_BLOCKS))
        at_most(_MAX_COMMENT, comment, LARGE_METADATA)
    return max(pictures, 1)


def _palette(data: Data, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks(limit: int) -> Sentence:
    return say("It has more than {limit} blocks of data.", limit=limit)


def _check_jpeg(data: Data) -> None:
    at, segments = 2, 0
    exif: list[bytes] = []
    while match := _MARKER.search(data, at):
        marker, at = match[1][0], match.end()
        if marker == 0xDA or at + 2 > len(data):
            break
        segments += 1
        at_most(_MAX_SEGMENTS, segments, _blocks(_MAX_SEGMENTS))
        if marker in (0x01, 0xD8, 0xD9):  # these have no content
            continue
        (size,) = struct.unpack_from(">H", data, at)
        content = data[at + 2 : at + size]
        if marker == 0xE1 and content.startswith(EXIF_PREFIX):
            exif.append(content.removeprefix(EXIF_PREFIX))
            at_most(_MAX_EXIF_SEGMENTS, len(exif), LARGE_METADATA)
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
        at_most(_MAX_SCANS, scans, say("It has more than {limit} scans.", limit=_MAX_SCANS))
        if match[1] not in b"\x01\xd8" and at + 2 <= len(data):
            at += max(struct.unpack_from(">H", data, at)[0], 2)


def _check_png(data: Data) -> None:
    at, chunks, headers, compressed = 8, 0, 0, 0
    while at + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        chunks += 1
        at_most(_MAX_CHUNKS, chunks, _blocks(_MAX_CHUNKS))
        headers += kind == b"IHDR"
        compressed += kind in (b"iCCP", b"zTXt", b"iTXt")
        at_most(1, headers, STATED_TWICE)
        at_most(_MAX_COMPRESSED, compressed, LARGE_METADATA)
        at += 12 + size


def _check_items(data: Data) -> None:
    """Of a HEIC or AVIF: pictures and metadata, each of many pieces of the file."""
    for meta, end in _boxes(data, b"meta", 0, len(data)):
        for start, stop in _boxes(data, b"iloc", meta + 4, end):
            total = sum(_lengths_of_items(data[start:stop], len(data)))
            check_pieces(total, len(data))


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
