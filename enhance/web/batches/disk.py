"""What a server's files take of the disk, and how they are deleted."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def used_bytes(uploads: Path, results: Path) -> int:
    """What the files and folders in `uploads` take, without the results of other servers.

    A file with several names counts once. results: the folder of this server's own, in `uploads`.
    """
    files = {}
    for path in uploads.iterdir():
        if path == results or not path.name.startswith("results-"):
            for entry in _files(path):
                # Small files take more than they hold, compressed and new ones less.
                blocks = getattr(entry, "st_blocks", 0)  # Windows has none
                files[entry.st_dev, entry.st_ino] = max(entry.st_size, 512 * blocks)
    return sum(files.values())


def _files(top: Path) -> Iterator[os.stat_result]:
    inside = (Path(at, name) for at, folders, files in os.walk(top) for name in folders + files)
    for path in itertools.chain([top], inside):
        with suppress(FileNotFoundError):  # others delete and write meanwhile
            yield path.lstat()


def delete_old(paths: Iterable[Path], seconds: float) -> None:
    """Delete what has not been changed for so long."""
    oldest = time.time() - seconds
    for path in paths:
        with suppress(FileNotFoundError):
            if path.lstat().st_mtime < oldest:
                delete(path)


def delete(path: Path) -> None:
    """Delete a file, or a folder with all that is in it, as far as it can be done."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
