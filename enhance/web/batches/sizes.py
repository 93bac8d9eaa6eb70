"""What photos measure, read from each file once, however often it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from enhance.photos import DECODER


@dataclass(frozen=True)
class _File:
    """A file as it was when it was looked at; it may have several paths."""

    path: Path = field(compare=False)
    device: int
    inode: int
    length: int
    changed: int  # nanoseconds


def known_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of a photo, or None when it is no readable image."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # the latter of a path that no file can have
        return None
    return _size(_File(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4096)
def _size(file: _File) -> tuple[int, int] | None:
    return DECODER.size_of(file.path)
