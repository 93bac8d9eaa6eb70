"""Walks a tree of folders of any size."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhance.jobs.temporary_tables import as_bytes, as_text, scratch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """An entry of a folder.

    name: POSIX path relative to the root of the walk. size, version: of a file, see `Job`.
    is_link: whether it is a link to a local file.
    """

    name: str
    kind: Literal["file", "folder", "linked folder", "unreadable folder"]
    size: int = 0
    version: str = ""
    is_link: bool = False


def walk(list_folder: Callable[[str], Iterator[Listed]]) -> Iterator[Listed]:
    """Every entry below the root "", in no particular order; of folders, only those not entered.

    list_folder: lists a folder's entries, raising OSError if it cannot. An OSError from the root is
    passed on; any other folder is logged and yielded as an "unreadable folder".
    """
    folders = scratch("CREATE TABLE folders (name BLOB)")
    name: str | None = ""
    while name is not None:
        try:
            for listed in list_folder(name):
                if listed.kind == "folder":
                    folders.execute("INSERT INTO folders VALUES (?)", (as_bytes(listed.name),))
                else:
                    yield listed
        except OSError as error:
            if not name:
                raise
            log.warning("the folder %r cannot be read: %s", name, error)
            yield Listed(name, "unreadable folder")
        row = folders.execute("SELECT max(rowid), name FROM folders").fetchone()
        name = None if row[0] is None else as_text(row[1])
        folders.execute("DELETE FROM folders WHERE rowid = ?", row[:1])
    folders.close()


def list_local(root: Path, folder: str) -> Iterator[Listed]:
    """The entries of a local folder, for `walk`. Links to folders are not followed, so there are no
    loops."""
    with os.scandir(root / folder) as found:
        for one in found:
            name = f"{folder}/{one.name}" if folder else one.name
            try:
                if one.is_dir(follow_symlinks=False):
                    yield Listed(name, "folder")
                elif one.is_dir():
                    log.info("%r is a link to a folder and is not followed", name)
                    yield Listed(name, "linked folder")
                else:
                    yield stated(name, Path(one.path), one.is_symlink())
            except OSError:  # a link to itself
                yield Listed(name, "file", is_link=True)


def stated(name: str, path: Path, is_link: bool | None = None) -> Listed:
    """A local file with its size and version, if it exists."""
    is_link = path.is_symlink() if is_link is None else is_link
    try:
        status = path.stat()
    except OSError:  # reading it will say why
        return Listed(name, "file", is_link=is_link)
    return Listed(name, "file", status.st_size, str(status.st_mtime_ns), is_link)
