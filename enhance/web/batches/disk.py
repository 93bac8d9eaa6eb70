"""How much disk space a server's files use, and how they are deleted."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def used_bytes(uploads: Path, results: Path) -> int:
    """Bytes used by the files and folders in `uploads`, except the results of other servers.

    A file with several hard links counts once. results: this server's own folder in `uploads`.
    """
    files = {}
    for path in uploads.iterdir():
        if path == results or not path.name.startswith("results-"):
            for entry in _files(path):
                # Small files use more than their length, compressed and new ones less.
                blocks = getattr(entry, "st_blocks", 0)  # Windows has none
                files[entry.st_dev, entry.st_ino] = max(entry.st_size, 512 * blocks)
    return sum(files.values())


def _files(top: Path) -> Iterator[os.stat_result]:
    inside = (Path(at, name) for at, folders, files in os.walk(top) for name in folders + files)
    for path in itertools.chain([top], inside):
        with suppress(FileNotFoundError):  # other threads delete and write meanwhile
            yield path.lstat()


def delete_old(paths: Iterable[Path], seconds: float) -> None:
    """Delete the paths that have not changed for this many seconds."""
    oldest = time.time() - seconds
    for path in paths:
        with suppress(FileNotFoundError):
            if path.lstat().st_mtime < oldest:
                delete(path)


def delete(path: Path) -> None:
    """Delete a file, or a folder with everything in it, as far as possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
