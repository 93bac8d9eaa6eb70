"""Folders in object stores that fsspec supports (S3, Google Cloud Storage, ...)."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Literal

from fsspec import AbstractFileSystem

from enhance.files import safe

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


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a folder.

    source: absolute path or URL. name: its POSIX path relative to the folder that is walked, which
    a photo's result will have too. size: of a file, in bytes. version: something that changes with
    a file: its modification time in nanoseconds, or the store's ETag; "" if there is no file.
    is_link: whether it is a link to a local file.
    """

    source: str
    name: str
    size: int = 0
    version: str = ""
    is_link: bool = False
    kind: Literal["file", "folder", "linked folder", "unreadable folder"] = "file"


class Folder:
    """A folder in a store. root: its path in the form that the file system uses.

    Names are relative paths. All methods raise OSError, whatever the store's library raises.
    Thread-safe.
    sizes: of the files known to be there, in bytes; whoever writes results fills it from a walk,
        because asking for every file would take far longer.
    """

    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self.files = files
        self.root = root.rstrip("/")
        # Without a user's name or password.
        self.url: str = files.unstrip_protocol(self.root).rstrip("/")
        self.sizes: dict[str, int] = {}
        protocols = (files.protocol,) if isinstance(files.protocol, str) else files.protocol
        self._is_s3 = "s3" in protocols
        self._refuses = self._is_s3  # to write over a file, if asked to

    def path(self, name: str) -> str:
        """The path of a name, in the form that the file system uses. Raises UnsafeName."""
        return f"{self.root}/{safe(name)}"

    def place(self, name: str) -> str:
        """The location of a file, as people are told it."""
        return f"{self.url}/{name}"

    def within(self, other: Folder) -> str | None:
        """The relative path that leads here from another folder; None if this is not below it."""
        here, there = self._place(), other._place()
        return here.relative_to(there).as_posix() if here.is_relative_to(there) else None

    def _place(self) -> PurePath:
        return PurePath(self.url)

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
                yield Entry(self.place(name), name, kind="unreadable folder")

    def list(self, folder: str) -> Iterator[Entry]:
        """The entries of a folder (a relative path, "" for the root), as they are stored.

        On S3 it is everything below the folder instead, fetched a thousand at a time, so a folder
        with a million photos is no problem, and neither are a million folders.
        """
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
        if info["type"] == "directory":
            return Entry(self.place(name), name, kind="folder")
        version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
        return Entry(self.place(name), name, int(info.get("size") or 0), version)

    def read(self, name: str) -> bytes:
        """The contents of a file."""
        with as_os_error():
            return self.files.cat_file(self.path(name))

    def fetch(self, name: str, target: str) -> None:
        """Copy a file to a local path."""
        with as_os_error():
            self.files.get_file(self.path(name), target)

    def size(self, name: str) -> int | None:
        """The size of a file of which it is known, None if there is none."""
        return self.sizes.get(name)

    def exists(self, name: str) -> bool:
        """Whether anything is known to be there, even a link to nothing."""
        return name in self.sizes

    def digest(self, name: str, sizes: Collection[int], source: str) -> str | None:
        """The SHA-256 of what is there; None unless it is a file of one of these sizes, no link,
        and not the photo `source` itself."""
        with as_os_error():
            if source == self.place(name) or self.files.info(self.path(name))["size"] not in sizes:
                return None
        return hashlib.sha256(self.read(name)).hexdigest()

    def prepare(self, name: str) -> None:
        """Make sure that the folder of a file exists, and is in this one."""

    def create(self, name: str, data: bytes) -> None:
        """Write a file. Raises FileExistsError if anything is there; S3 makes sure of that itself,
        on other stores something may appear between the look and the writing."""
        if self._refuses:
            try:
                with as_os_error():
                    self.files.pipe_file(self.path(name), data, mode="create")
                self.sizes[name] = len(data)
                return
            except OSError as error:
                if error.errno != errno.ENOSYS:
                    raise
                self._refuses = False  # speaks S3, but not all of it
        with as_os_error():
            if self.files.exists(self.path(name)):
                raise FileExistsError(f"{name} is there already")
        self.write(name, data)

    def write(self, name: str, data: bytes) -> None:
        """Write a file, also in place of one that is there, and atomically where the store can (S3,
        GCS, Azure)."""
        path = self.path(name)
        with as_os_error():
            try:
                self.files.pipe_file(path, data)
            except FileNotFoundError:
                if not self.files.exists(self.root):  # a typing error must not create a bucket
                    raise
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.files.pipe_file(path, data)
        self.sizes[name] = len(data)


@contextmanager
def as_os_error() -> Iterator[None]:
    """Turn whatever a store's library raises in the block into an OSError with the same message."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}".rstrip(".")) from error
