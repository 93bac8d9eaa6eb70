"""How much disk space a server's files use, and how they are deleted."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from enhance.errors import OptionsError
from enhance.i18n import say

Files = dict[tuple[int, int], int]
"""Bytes used by each file and folder, by device and inode: one with several links counts once."""

# Uploads, whole and incomplete ones, and what Gradio makes for links to the page.
_GRADIOS = re.compile(r"[0-9a-f]{64}|tmp[0-9a-z_]{8}|deep_links")


def own_folder(folder: Path) -> Path:
    """Make the folder if need be, for this user only; returns it.

    Raises OptionsError if others could replace what is in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status, link = folder.stat(), folder.lstat()
    if os.name == "posix" and (
        {status.st_uid, link.st_uid} != {os.getuid()} or status.st_mode & 0o022
    ):
        raise OptionsError(
            say(
                "The folder for uploads and results belongs to another user, or others may write "
                "to it, so they could replace photos in it. Set GRADIO_TEMP_DIR to a folder that "
                "only the user who runs this server may write to."
            )
        )
    return folder


def uploads_in(root: Path) -> list[Path]:
    """What Gradio has put into the folder; anything else there is somebody else's."""
    return [path for path in root.iterdir() if _GRADIOS.fullmatch(path.name)]


def files_in(top: Path) -> Files:
    """The file, or the folder with everything in it."""
    files = {}
    for entry in _entries(top):
        # Small files use more than their length, compressed and new ones less.
        blocks = getattr(entry, "st_blocks", 0)  # Windows has none
        files[entry.st_dev, entry.st_ino] = max(entry.st_size, 512 * blocks)
    return files


def _entries(top: Path) -> Iterator[os.stat_result]:
    inside = (Path(at, name) for at, folders, files in os.walk(top) for name in folders + files)
    for path in itertools.chain([top], inside):
        with suppress(FileNotFoundError):  # other threads delete and write meanwhile
            yield path.lstat()


def idle(path: Path) -> float:
    """For how many seconds a path has not changed; 0 if it is gone."""
    with suppress(FileNotFoundError):
        return time.time() - path.lstat().st_mtime
    return 0.0


def delete_old(paths: Iterable[Path], seconds: float) -> None:
    """Delete the paths that have not changed for this many seconds."""
    for path in paths:
        if idle(path) > seconds:
            delete(path)


def delete(path: Path) -> None:
    """Delete a file, or a folder with everything in it, as far as possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
