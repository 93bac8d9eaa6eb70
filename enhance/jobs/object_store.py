"""What lies in a store that fsspec knows (S3, Google Cloud Storage, ...), page by page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fsspec import AbstractFileSystem

from enhance.jobs.walk import Listed

# What stores call the mark, or else the time, that changes with a file's content.
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
    """A folder in a store: everything below `root`, which is a path as the file system writes it.

    Everything raises OSError, whatever the store's own library raises. Threads may share it.
    """

    def __init__(self, files: AbstractFileSystem, root: str) -> None:
        self.files = files
        self.root = root.rstrip("/")
        self.url: str = files.unstrip_protocol(self.root).rstrip(
            "/"
        )  # without a user's name or password

    def path(self, name: str) -> str:
        """Where a relative name lies, as the file system writes it."""
        return f"{self.root}/{name}"

    def list(self, folder: str) -> Iterator[Listed]:
        """What lies in a folder (relative, "" is the root), as the store gives it.

        S3 gives everything below it instead, a thousand at a time: so neither a folder with a
        million photos nor a million folders is too much.
        """
        with as_os_error():
            if "s3" in _protocols(self.files):
                yield from self._pages(folder)
                return
            path = self.path(folder) if folder else self.root
            self.files.invalidate_cache()  # it may know what was there long ago
            for info in self.files.ls(path, detail=True):
                name = info["name"].rstrip("/")[len(self.root) :].lstrip("/")
                if name and name != folder:  # some list the folder itself
                    if info["type"] == "directory":
                        yield Listed(name, "folder")
                    else:
                        yield _listed(name, info)
            self.files.invalidate_cache()  # else it keeps every folder

    def read(self, name: str) -> bytes:
        """The whole of a file."""
        with as_os_error():
            return self.files.cat_file(self.path(name))

    def fetch(self, name: str, target: str) -> None:
        """Copy a file to a local path."""
        with as_os_error():
            self.files.get_file(self.path(name), target)

    def write(self, name: str, data: bytes) -> None:
        """Put a file there, in one step where the store can (S3, GCS, Azure)."""
        path = self.path(name)
        with as_os_error():
            try:
                self.files.pipe_file(path, data)
            except FileNotFoundError:
                if not self.files.exists(self.root):  # no bucket is made by a slip of the pen
                    raise
                self.files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self.files.pipe_file(path, data)

    def _pages(self, folder: str) -> Iterator[Listed]:
        bucket, _, prefix = self.path(folder).rstrip("/").partition("/")
        beyond = len(self.root) - len(bucket)
        more: dict[str, str] = {"Prefix": f"{prefix}/"} if prefix else {}
        while True:
            page = self.files.call_s3("list_objects_v2", self.files.req_kw, Bucket=bucket, **more)
            for info in page.get("Contents", ()):
                name = info["Key"][beyond:]
                if name and not name.endswith("/"):  # what consoles make to show a folder
                    yield _listed(name, {**info, "size": info["Size"]})
            if not page.get("IsTruncated"):
                return
            more["ContinuationToken"] = page["NextContinuationToken"]


@contextmanager
def as_os_error() -> Iterator[None]:
    """What a store's library raises in the block is raised as an OSError that says the same."""
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
