"""Writes files atomically, under unique names."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path, PurePosixPath

_BLOCK = 1 << 20  # bytes that are read at once


@contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`, renamed to it if the block ends without an error."""
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_bytes(target: Path, data: bytes) -> Path:
    """Write `data` to `target` atomically; returns `target`."""
    with appearing(target) as partial:
        partial.write_bytes(data)
    return target


def linked(path: Path, target: Path) -> Path:
    """Make `target` a hard link to the file, or a copy where links are not supported.

    Returns `path` itself when neither works: reading it will say why.
    """
    for make in (target.hardlink_to, lambda source: shutil.copyfile(source, target)):
        with suppress(OSError):
            make(path)
            return target
    return path


def numbered(name: str) -> Iterator[str]:
    """The file's name or relative path, then the same with _2, _3, … before its extension."""
    yield name
    path = PurePosixPath(name)
    for number in count(2):
        yield str(path.with_name(f"{path.stem}_{number}{path.suffix}"))


def sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def remove_partial(folder: Path) -> None:
    """Remove what killed writers left in a folder; call it only while nobody writes there."""
    for partial in folder.glob(".*.part"):
        if re.fullmatch(r"\.[0-9a-f]{32}\.part", partial.name):
            partial.unlink(missing_ok=True)
