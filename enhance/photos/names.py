"""File names for results."""

from __future__ import annotations

from pathlib import Path

from pathvalidate import sanitize_filename

from enhance.name_pattern import fill_pattern

_STEM = 180  # bytes; leaves room for a suffix within the usual 255
_RESULT = 200  # bytes; leaves room for a number and an extension


def output_stem(name: str) -> str:
    """The photo's name without folders and extension, valid as a file name on every system."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    return _safe(Path(base.replace("\0", "")).stem, _STEM) or "photo"


def result_stem(
    pattern: str, name: str, *, number: int, upscale: float, restorer: str, background: str
) -> str:
    """The name of a photo's result without extension, valid as a file name on every system.

    pattern: valid (see `name_pattern`). name: the photo's. number: its position in the batch.
    If the result would be too long, the photo's own part of it is cut.
    """
    stem = output_stem(name)
    values = {
        "{index}": f"{number:03}",
        "{upscale}": f"{upscale:g}",
        "{restorer}": restorer,
        "{background}": background,
    }
    filled = fill_pattern(pattern, values | {"{stem}": stem})
    if (over := len(filled.encode()) - _RESULT) > 0:
        shorter = _cut(stem, max(0, len(stem.encode()) - over))
        filled = fill_pattern(pattern, values | {"{stem}": shorter})
    return _safe(filled, _RESULT) or "photo"


def _safe(text: str, most: int) -> str:
    """The text as a file name of at most so many bytes; may be empty."""
    text = text.encode("utf-8", "replace").decode()  # it may contain bytes that are not text
    safe = str(sanitize_filename(text, platform="universal"))
    return _cut(safe.strip(". "), most).rstrip(". ")


def _cut(text: str, most: int) -> str:
    """As much of the text as fits into so many bytes."""
    return text.encode()[:most].decode("utf-8", "ignore")
