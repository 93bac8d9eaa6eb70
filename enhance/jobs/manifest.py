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

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path

from filelock import FileLock

from enhance.files import real
from enhance.jobs.ledger import Job
from enhance.jobs.local_folder import LocalFolder
from enhance.jobs.targets import Results

NAME = ".enhance.jsonl"
LOCK = ".enhance.lock"


class Manifest(Results):
    """The results in a local folder and its subfolders; see `Results` for the methods.

    Not thread-safe, but any number of processes may use the same folder.
    """

    folder: LocalFolder

    def __init__(self, folder: LocalFolder) -> None:
        """Open the folder's manifest; creates what does not exist. Raises OSError."""
        super().__init__(folder)
        folder.here.mkdir(parents=True, exist_ok=True)
        # No fallback: raise OSError on a file system without locks.
        self._lock = FileLock(folder.here / LOCK, fallback_to_soft=False)
        self._open()
        with self.locked():
            pass  # read the manifest, and find out whether there can be a lock

    def _open(self) -> None:
        """Open the manifest for reading and appending. Raises OSError, also if it is a link or
        anything else that would lead what is appended to another file."""
        path = self.folder.here / NAME

        def opener(name: str, flags: int) -> int:
            return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

        self._file = FileIO(path, "a+", opener=opener)
        self._status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(self._status.st_mode) or self._status.st_nlink > 1:
            self._file.close()
            raise OSError(f"{path} is a link or no file; remove it")
        self.folder.partial = f".enhance-{self._status.st_dev:x}-{self._status.st_ino:x}.part"
        self._read = 0  # bytes of the file that have been read

    def check(self) -> None:
        there = (self.folder.here / NAME).stat()
        try:
            os.fstat(self._file.fileno())
            same = os.path.samestat(there, self._status)
        except (OSError, ValueError):  # a share that was away has forgotten the open file
            same = False
        if not same:
            self._file.close()
            self._open()

    def find(self, job: Job) -> str | None:
        self._catch_up()
        return super().find(job)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with self._lock:
            self._catch_up()
            yield

    def record(self, added: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() > self._read:  # the file ends with a torn line
            added = b"\n" + added
        while added:  # a disk that is nearly full takes a part, and refuses the next
            added = added[self._file.write(added) :]
        self._catch_up()

    def _catch_up(self) -> None:
        if os.fstat(self._file.fileno()).st_size <= self._read:
            return
        self._file.seek(self._read)
        lines = BufferedReader(self._file)
        try:
            for text in lines:
                if not text.endswith(b"\n"):  # torn, or just being written
                    break
                self._ledger.read([text])
                self._read += len(text)
        finally:
            lines.detach()  # else it would close the file

    def made(self, source: str) -> bool:
        try:
            there = real(Path(source))
            done = self._ledger.made(there.relative_to(real(self.folder.here)).as_posix())
            # The name may differ in case only, and be another file's.
            return (
                done is not None
                and done.sha256 != ""
                and self.folder.size(done.file) == done.bytes
                and there.samefile(self.folder.here / done.file)
            )
        except (OSError, ValueError):  # it is gone, or outside the folder
            return False

    def close(self) -> None:
        self._file.close()
