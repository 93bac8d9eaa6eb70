"""File names for results."""

from __future__ import annotations

from pathlib import Path

from pathvalidate import sanitize_filename


def output_stem(name: str) -> str:
    """The photo's name without folders and extension, valid as a file name on every system."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem = Path(base.replace("\0", "")).stem
    stem = stem.encode("utf-8", "replace").decode()  # the name may contain bytes that are not text
    safe = str(sanitize_filename(stem, platform="universal")).strip(". ")
    while len(safe.encode()) > 180:  # leaves room for a suffix within the usual 255 bytes
        safe = safe[:-1]
    return safe or "photo"
