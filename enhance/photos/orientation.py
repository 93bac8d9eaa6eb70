"""Turns photos, and what their metadata say, upright."""

import re
import struct
from collections.abc import Callable

import numpy as np
from PIL import Image

from enhance.photos.ifd import EXIF_PREFIX, Ifd
from enhance.records import Pixels

ORIENTATION = 0x0112
"""The EXIF and TIFF tag that says how the pixels must be turned for display."""

BY_PILLOW = ("TIFF", "HEIF")
"""The formats that Pillow turns upright while it decodes them."""

_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}


def orientation_of(tags: Image.Exif) -> int:
    """The EXIF orientation, 1 to 8; 1 means upright."""
    value = tags.get(ORIENTATION, 1)
    return value if value in _TURNS else 1


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """The pixels (h, w[, c]) of a photo, as they are stored, turned upright."""
    return np.ascontiguousarray(_TURNS[orientation](pixels))


def upright_exif(exif: bytes) -> bytes | None:
    """EXIF with the orientation set to 1 and without its thumbnail, which would show the photo
    sideways and as it was; None if the block is damaged."""
    body = bytearray(exif.removeprefix(EXIF_PREFIX))
    try:
        ifd = Ifd.first(body)
        entry = ifd.find(ORIENTATION)
        if entry is not None:
            (kind,) = struct.unpack_from(ifd.order + "H", body, entry + 2)
            struct.pack_into(ifd.order + ("I" if kind == 4 else "H"), body, entry + 8, 1)
        struct.pack_into(ifd.order + "I", body, ifd.entries.stop, 0)
    except (ValueError, struct.error):
        return None
    return EXIF_PREFIX + bytes(body)


def upright_xmp(xmp: bytes) -> bytes:
    """XMP with the orientation set to 1."""
    return re.sub(rb"""(tiff:Orientation(?:\s*=\s*["']|>))\d""", rb"\g<1>1", xmp)
