"""Reads ICC profiles: their tags, numbers and curves."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

Array = NDArray[Any]

LEVELS = 65_536
"""Entries of a curve: as many as a channel of 16 bits has values."""
_STEP = 1e-3  # rounded numbers make a curve of two parts fall this little where they meet
_MAX_STEPS = 16  # elements in a multi-process-element tag


def open_profile(icc: bytes) -> ImageCms.ImageCmsProfile:
    """Open a profile. Raises OSError for one that Little CMS would take for ever to process."""
    try:
        tags = tags_of(icc)
    except struct.error as error:
        raise OSError("a profile that is cut off") from error
    for _, tag in tags:
        if bytes(tag[:4]) == b"mpet" and int.from_bytes(tag[12:16], "big") > _MAX_STEPS:
            raise OSError("a profile of too many steps")
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


def tags_of(icc: bytes) -> list[tuple[bytes, memoryview]]:
    """The tags of a profile by name, as far as they can be found. Raises struct.error."""
    view = memoryview(icc)  # no copies: many tags may refer to the same bytes
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = (struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 100)))
    return [(name, view[start : start + size]) for name, start, size in entries]


def numbers(body: memoryview) -> tuple[float, ...]:
    """The fixed-point numbers of a tag's body."""
    return tuple(v / 65536 for v in struct.unpack(f">{len(body) // 4}i", body))


def curve_of(tag: memoryview) -> Array:
    """A rising curve, channel value → linear light, at 65536 values. Raises ValueError if the tag
    has no such curve."""
    if bytes(tag[:4]) == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        count = (1, 3, 4, 5, 7)[kind] if kind < 5 else 0
        curve = parametric(kind, numbers(tag[12 : 12 + 4 * count]))
    elif bytes(tag[:4]) == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.frombuffer(tag, ">u2", count, 12)
        if count == 0:
            curve = np.linspace(0, 1, LEVELS)
        elif count == 1:
            curve = parametric(0, (values[0] / 256,))
        else:
            x = np.linspace(0, 1, LEVELS)
            curve = np.interp(x, np.linspace(0, 1, count), values / 65535)
    else:
        raise ValueError("no curve")
    if not np.isfinite(curve).all() or (np.diff(curve) < -_STEP).any() or curve[-1] < 0.5:
        raise ValueError("the curve does not rise")
    return np.maximum.accumulate(curve)


def parametric(kind: int, parameters: Sequence[float]) -> Array:
    """The curve types 0 to 4 of the ICC specification, section 10.18."""
    gamma, *rest = parameters
    a, b, c, d, e, f = {
        0: lambda: (1, 0, 0, 0, 0, 0),
        1: lambda: (*rest, 0, -rest[1] / rest[0], 0, 0),
        2: lambda: (rest[0], rest[1], 0, -rest[1] / rest[0], rest[2], rest[2]),
        3: lambda: (*rest, 0, 0),
        4: lambda: rest,
    }[kind]()
    x = np.linspace(0, 1, LEVELS)
    power = np.maximum(a * x + b, 0) ** gamma + e
    return np.clip(np.where(x >= d, power, c * x + f), 0, 1)
