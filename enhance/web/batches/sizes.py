"""Width and height of photos, read once per file however often they are asked for."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from enhance.photos import DECODER


def known_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of a photo, or None if it is not a readable image."""
    try:
        status = path.stat()
    except (OSError, ValueError):  # ValueError: a path that no file can have
        return None
    return _size(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _size(path: Path, *contents: int) -> tuple[int, int] | None:
    """contents: what changes when the file does."""
    return DECODER.size_of(path)
