"""Width and height of photos, read once per file however often they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from enhance.photos import DECODER


@dataclass(frozen=True)
class _File:
    """Identifies the contents of a file, which may have several paths."""

    path: Path = field(compare=False)
    device: int
    inode: int
    length: int
    changed: int  # nanoseconds


def known_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of a photo, or None if it is not a readable image."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a path that no file can have
        return None
    return _size(_File(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4096)
def _size(file: _File) -> tuple[int, int] | None:
    return DECODER.size_of(file.path)
