"""Writes files atomically, under names that are unique and lead to no other folder."""

import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path, PurePosixPath

from pathvalidate import is_valid_filename

_BLOCK = 1 << 20  # bytes that are read at once
# A part that is empty, "." or "..", as in absolute paths; a control character.
_UNSAFE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f-\x9f]")
_FOR_WINDOWS = os.name == "nt"


class UnsafeName(OSError):
    """A name that must not be joined to a folder; the message says so."""


def safe(name: str) -> str:
    """The same name, a relative path with slashes that may come from anywhere: an object's key, a
    line of a manifest. Every such name is checked here before it is joined to a folder.

    Raises UnsafeName if it could lead out of the folder, or has a part that no file should have.
    """
    if _UNSAFE.search(name) or (
        _FOR_WINDOWS
        and not all(is_valid_filename(part, platform="windows") for part in name.split("/"))
    ):
        raise UnsafeName(f"{name!r} is not a usable name for a file in a folder")
    return name


def write_bytes(target: Path, data: bytes) -> Path:
    """Write `data` to `target` atomically; returns `target`."""
    partial = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        partial.write_bytes(data)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def real(path: Path) -> Path:
    """Where the path leads. Unlike `Path.resolve` it raises no error about links in a circle."""
    return Path(os.path.realpath(path))


def create(target: Path, partial: Path) -> None:
    """Rename `partial` to `target`. Raises FileExistsError if anything is there, even a link."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(f"{target} is there already") from None
        partial.rename(target)
    else:
        partial.unlink()


def linked(
    path: Path, target: Path, copying: Callable[[int], object] = lambda _bytes: None
) -> Path:
    """Make `target` a hard link to the file, or a copy where no link can be made.

    copying: called with the number of bytes that are about to be copied; may raise. Returns `path`
    itself when neither works, or `copying` raises OSError: reading it will say why.
    """
    with suppress(OSError):
        target.hardlink_to(path)
        return target
    with suppress(OSError):
        copying(path.stat().st_size)
        return shutil.copyfile(path, target)
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
