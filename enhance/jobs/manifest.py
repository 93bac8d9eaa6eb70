"""A manifest in a folder of results, so that later runs know what is already done.

`.enhance.jsonl` in that folder gets one line of JSON per photo, appended once the result has its
final name. A process may be killed at any moment. At worst a photo's result is complete but its
line is missing, and the photo is done once more; a torn line is ignored. Several processes may
write to one folder: each saves while it holds the lock beside the manifest, after reading what the
others have appended.

While a result is written, its file has a name that says which manifest's lock is held. What a
killed run left in a folder is removed by the next one that writes there, but never what a run with
another manifest, in a folder above or below, is just writing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import FileIO
from pathlib import Path

from filelock import FileLock

from enhance.files import create, real, sha256
from enhance.jobs.targets import Results

NAME = ".enhance.jsonl"
LOCK = ".enhance.lock"

_CHUNK = 1 << 20  # bytes of the manifest that are read at once


class Manifest(Results[Path]):
    """The results in a local folder and its subfolders; see `Results` for the methods.

    Not thread-safe, but any number of processes may use the same folder.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder's manifest; creates what does not exist. Raises OSError."""
        super().__init__()
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        # No fallback: raise OSError on a file system without locks.
        self._lock = FileLock(folder / LOCK, fallback_to_soft=False)
        self._open()
        with self.locked():
            pass  # read the manifest, and find out whether there can be a lock

    def _open(self) -> None:
        """Open the manifest for reading and appending. Raises OSError, also if it is a link or
        anything else that would lead what is appended to another file."""
        path = self._folder / NAME

        def opener(name: str, flags: int) -> int:
            return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

        self._file = FileIO(path, "a+", opener=opener)
        self._status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(self._status.st_mode) or self._status.st_nlink > 1:
            self._file.close()
            raise OSError(f"{path} is a link or no file; remove it")
        self._partial = f".enhance-{self._status.st_dev:x}-{self._status.st_ino:x}.part"
        self._read = 0  # bytes of the file that have been read
        self._ready: Path | None = None  # the folder that was last written to

    def check(self) -> None:
        self._ready = None  # it may have been removed, or replaced by a link
        there = (self._folder / NAME).stat()
        try:
            os.fstat(self._file.fileno())
            same = os.path.samestat(there, self._status)
        except (OSError, ValueError):  # a share that was away has forgotten the open file
            same = False
        if not same:
            self._file.close()
            self._open()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            self.catch_up()
            yield

    def record(self, added: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() > self._read:  # the file ends with a torn line
            added = b"\n" + added
        while added:  # a disk that is nearly full takes a part, and refuses the next
            added = added[self._file.write(added) :]
        self.catch_up()

    def catch_up(self) -> None:
        if os.fstat(self._file.fileno()).st_size <= self._read:
            return
        self._file.seek(self._read)
        rest = b""
        while chunk := self._file.read(_CHUNK):
            rest += chunk
            whole = rest[: rest.rfind(b"\n") + 1]
            self._ledger.read(whole.splitlines())
            self._read += len(whole)
            rest = rest[len(whole) :]

    def place(self, name: str) -> Path:
        return self._folder / name

    def prepare(self, name: str) -> None:
        folder = (self._folder / name).parent
        if folder == self._ready:
            return
        if not real(folder).is_relative_to(real(self._folder)):
            raise OSError(f"{folder} is reached by a link that leads out of {self._folder}")
        folder.mkdir(parents=True, exist_ok=True)
        self._ready = folder

    def size(self, name: str) -> int | None:
        try:
            return (self._folder / name).stat().st_size
        except OSError:
            return None

    def made(self, source: str) -> bool:
        path = Path(source)
        try:
            there = real(path) if path.is_symlink() else _real(path.parent) / path.name
            name = there.relative_to(_real(self._folder)).as_posix()
            done = self._ledger.made(name)
            # The name may differ in case only, and be another file's.
            return (
                done is not None
                and done.sha256 != ""
                and self.size(done.file) == done.bytes
                and there.samefile(self._folder / done.file)
            )
        except (OSError, ValueError):  # it is gone, or outside the folder
            return False

    def exists(self, name: str) -> bool:
        return os.path.lexists(self._folder / name)

    def digest(self, name: str, sizes: Collection[int], source: str) -> str | None:
        path = self._folder / name
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size not in sizes:
            return None
        if Path(source).exists() and path.samefile(source):
            return None
        return sha256(path)

    def create(self, name: str, data: bytes) -> None:
        path = self._folder / name
        with self._written(path, data) as partial:
            create(path, partial)

    def replace(self, name: str, data: bytes) -> None:
        path = self._folder / name
        with self._written(path, data) as partial:
            partial.replace(path)

    def close(self) -> None:
        self._file.close()
        self._ledger.close()

    @contextmanager
    def _written(self, path: Path, data: bytes) -> Iterator[Path]:
        """A new file beside `path` with these contents; it must be renamed in the block. Call it
        with the lock held: a file of that name is what a killed run left, and is removed."""
        partial = path.with_name(self._partial)
        partial.unlink(missing_ok=True)
        try:
            with partial.open("xb") as file:
                file.write(data)
            yield partial
        finally:
            partial.unlink(missing_ok=True)


@lru_cache(maxsize=2)  # photos come folder by folder
def _real(folder: Path) -> Path:
    return real(folder)
