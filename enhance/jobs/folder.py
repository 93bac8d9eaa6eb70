"""Folders: local ones, and those in object stores that fsspec supports (S3, Google Cloud Storage,
...)."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Literal

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from enhance.files import real, safe

log = logging.getLogger(__name__)

# Names under which stores give an ETag or hash of a file's content, or else its time of change.
_VERSIONS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "LastModified",
    "last_modified",
    "mtime",
    "modified",
    "updated",
    "created",
)


@dataclass(frozen=True)
class Entry:
    """An entry of a folder.

    source: absolute path or URL. name: its POSIX path relative to the folder that is walked, which
    a photo's result will have too. size, version: of a file, see `Job`. is_link: whether it is a
    link to a local file.
    """

    source: str
    name: str
    size: int = 0
    version: str = ""
    is_link: bool = False
    kind: Literal["file", "folder", "linked folder", "unreadable folder"] = "file"


class Folder:
    """A folder. root: its path in the form that the file system uses.

    All methods raise OSError, whatever the store's library raises. Thread-safe.
    """

    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self.files = files
        self.is_local = isinstance(files, LocalFileSystem)
        self.root = root if self.is_local else root.rstrip("/")
        self.url: str = str(Path(root).absolute())
        if not self.is_local:  # without a user's name or password
            self.url = files.unstrip_protocol(self.root).rstrip("/")
        protocols = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
        self._is_s3 = "s3" in protocols
        self._refuses = self._is_s3  # to write over a file, if asked to

    def path(self, name: str) -> str:
        """The path of a relative name, in the form that the file system uses. Raises UnsafeName."""
        return f"{self.root}/{safe(name)}"

    def within(self, other: Folder) -> str | None:
        """The relative path that leads here from another folder; None if this is not below it."""
        here, there = (
            real(Path(folder.root)) if folder.is_local else PurePath(folder.url)
            for folder in (self, other)
        )
        return here.relative_to(there).as_posix() if here.is_relative_to(there) else None

    def walk(self, is_wanted: Callable[[Entry], bool] | None = None) -> Iterator[Entry]:
        """Every entry at any depth, in no particular order; of folders, only those not entered.

        is_wanted: whether an entry is to be yielded, or entered if it is a folder. An OSError from
        the root is passed on; any other folder is logged and yielded as an "unreadable folder".
        """
        folders = [""]
        while folders:
            name = folders.pop()
            try:
                for entry in filter(is_wanted, self.list(name)):
                    if entry.kind == "folder":
                        folders.append(entry.name)
                    else:
                        yield entry
            except OSError as error:
                if not name:
                    raise
                log.warning("the folder %r cannot be read: %s", name, error)
                yield Entry(f"{self.url}/{name}", name, kind="unreadable folder")

    def list(self, folder: str) -> Iterator[Entry]:
        """The entries of a folder (a relative path, "" for the root), as they are stored.

        On S3 it is everything below the folder instead, fetched a thousand at a time, so a folder
        with a million photos is no problem, and neither are a million folders.
        """
        if self.is_local:
            yield from _list_local(Path(self.url), folder)
            return
        with as_os_error():
            path = self.path(folder) if folder else self.root
            if self._is_s3:
                yield from self._pages(path)
                return
            self.files.invalidate_cache()  # the cached listing may be old
            for info in self.files.ls(path, detail=True):
                name = info["name"].rstrip("/")[len(self.root) + 1 :]
                if name and name != folder:  # some stores list the folder itself
                    yield self._entry(name, info)
            self.files.invalidate_cache()  # otherwise it would keep every folder in memory

    def read(self, name: str) -> bytes:
        """The contents of a file."""
        with as_os_error():
            return self.files.cat_file(self.path(name))

    def fetch(self, name: str, target: str) -> None:
        """Copy a file to a local path."""
        with as_os_error():
            self.files.get_file(self.path(name), target)

    def size(self, name: str) -> int:
        """The size of a file in bytes."""
        with as_os_error():
            return int(self.files.info(self.path(name))["size"])

    def write(self, name: str, data: bytes) -> None:
        """Write a file, atomically where the store can (S3, GCS, Azure)."""
        path = self.path(name)
        with as_os_error():
            try:
                self.files.pipe_file(path, data)
            except FileNotFoundError:
                if not self.files.exists(self.root):  # a typing error must not create a bucket
                    raise
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.files.pipe_file(path, data)

    def create(self, name: str, data: bytes) -> None:
        """Write a file. Raises FileExistsError if there is one; S3 makes sure of that itself, on
        other stores one may appear between the look and the writing."""
        if self._refuses:
            try:
                with as_os_error():
                    self.files.pipe_file(self.path(name), data, mode="create")
                return
            except OSError as error:
                if error.errno != errno.ENOSYS:
                    raise
                self._refuses = False  # speaks S3, but not all of it
        with as_os_error():
            if self.files.exists(self.path(name)):
                raise FileExistsError(f"{name} is there already")
        self.write(name, data)

    def _pages(self, path: str) -> Iterator[Entry]:
        bucket, _, prefix = path.partition("/")
        beyond = len(self.root) - len(bucket)
        more: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        while True:
            page = self.files.call_s3("list_objects_v2", self.files.req_kw, Bucket=bucket, **more)
            for info in page.get("Contents", ()):
                name = info["Key"][beyond:]
                if name and not name.endswith("/"):  # else a placeholder for an empty folder
                    yield self._entry(name, {**info, "size": info["Size"], "type": "file"})
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]

    def _entry(self, name: str, info: dict[str, Any]) -> Entry:
        source = f"{self.url}/{name}"
        if info["type"] == "directory":
            return Entry(source, name, kind="folder")
        version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
        return Entry(source, name, int(info.get("size") or 0), version)


def find_folder(text: str) -> Folder:
    """The folder that the user means by a path or URL. Raises ValueError with a sentence if it is
    none that can be opened."""
    if "://" not in text:
        return Folder(LocalFileSystem(), str(Path(text)))
    try:
        return Folder(*url_to_fs(text))
    except Exception as error:  # of all kinds; fsspec's says which package must be installed
        raise ValueError(f"{text} cannot be opened: {error}.") from error


def local_entry(name: str, path: Path, is_link: bool) -> Entry:
    """A local file with its size and version, if it exists. path: absolute."""
    try:
        status = path.stat()
    except OSError:  # reading it will say why
        return Entry(str(path), name, is_link=is_link)
    return Entry(str(path), name, status.st_size, str(status.st_mtime_ns), is_link)


@contextmanager
def as_os_error() -> Iterator[None]:
    """Turn whatever a store's library raises in the block into an OSError with the same message."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}".rstrip(".")) from error


def _list_local(root: Path, folder: str) -> Iterator[Entry]:
    """One by one, as fsspec does not, and with exact times. Links to folders are not followed, so
    there are no loops."""
    with os.scandir(root / folder) as found:
        for one in found:
            name = f"{folder}/{one.name}" if folder else one.name
            try:
                if one.is_dir(follow_symlinks=False):
                    yield Entry(one.path, name, kind="folder")
                elif one.is_dir():
                    log.info("%r is a link to a folder and is not followed", name)
                    yield Entry(one.path, name, kind="linked folder")
                else:
                    yield local_entry(name, Path(one.path), one.is_symlink())
            except OSError:  # a link to itself
                yield Entry(one.path, name, is_link=True)
