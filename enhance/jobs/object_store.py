"""Folders in an object store that fsspec supports (S3, Google Cloud Storage, ...)."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem

from enhance.files import safe
from enhance.jobs.walk import Listed

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


class Store:
    """A folder in a store. root: its path in the form that the file system uses.

    All methods raise OSError, whatever the store's library raises. Thread-safe.
    """

    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self.files = files
        self.root = root.rstrip("/")
        self.url: str = files.unstrip_protocol(self.root).rstrip(
            "/"
        )  # without a user's name or password
        self._refuses = "s3" in _protocols(files)  # to write over a file, if asked to

    def path(self, name: str) -> str:
        """The path of a relative name, in the form that the file system uses. Raises UnsafeName."""
        return f"{self.root}/{safe(name)}"

    def list(self, folder: str) -> Iterator[Listed]:
        """The entries of a folder (a relative path, "" for the root), as the store lists them.

        On S3 it is everything below the folder instead, fetched a thousand at a time, so a folder
        with a million photos is no problem, and neither are a million folders.
        """
        with as_os_error():
            path = self.path(folder) if folder else self.root
            if "s3" in _protocols(self.files):
                yield from self._pages(path)
                return
            self.files.invalidate_cache()  # the cached listing may be old
            for info in self.files.ls(path, detail=True):
                name = info["name"].rstrip("/")[len(self.root) + 1 :]
                if name and name != folder:  # some stores list the folder itself
                    if info["type"] == "directory":
                        yield Listed(name, "folder")
                    else:
                        yield _listed(name, info)
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

    def _pages(self, path: str) -> Iterator[Listed]:
        bucket, _, prefix = path.partition("/")
        beyond = len(self.root) - len(bucket)
        more: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        while True:
            page = self.files.call_s3("list_objects_v2", self.files.req_kw, Bucket=bucket, **more)
            for info in page.get("Contents", ()):
                name = info["Key"][beyond:]
                if name and not name.endswith("/"):  # else a placeholder for an empty folder
                    yield _listed(name, {**info, "size": info["Size"]})
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]


@contextmanager
def as_os_error() -> Iterator[None]:
    """Turn whatever a store's library raises in the block into an OSError with the same message."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}".rstrip(".")) from error


def _listed(name: str, info: dict[str, Any]) -> Listed:
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return Listed(name, "file", int(info.get("size") or 0), version)


def _protocols(files: AbstractFileSystem) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
