"""A manifest in a folder of results, so that later runs know what is already done.

It gets one line of JSON per photo once the result has its final name. A process may be killed at
any moment. At worst a photo's result is complete but its line is missing, and the photo is done
once more, with the same bytes under the same name.

In a folder of this machine the manifest is the file `.enhance.jsonl`, to which lines are appended;
a torn line is ignored. Several processes may write to one folder: each saves while it holds the
lock beside the manifest, after reading what the others have appended. While a result is written,
its file has a name that says which manifest's lock is held. What a killed run left in a folder is
removed by the next one that writes there, but never what a run with another manifest, in a folder
above or below, is just writing.

In a store such as S3, files can be neither appended to nor locked. There the manifest is a folder
of parts with the same lines, `.enhance/<time>-<id>.jsonl`, and each process writes its own. A part
is uploaded again every hundred lines or every few seconds, and at the end; after some thousand
lines a new part is started. If a process is killed, the photos since its last upload are done once
more.
"""

import logging
import os
import re
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from threading import Lock

from filelock import FileLock

from enhance.files import real
from enhance.jobs.folder import Entry, Folder
from enhance.jobs.local_folder import LocalFolder
from enhance.jobs.results import Results

NAME = ".enhance.jsonl"
LOCK = ".enhance.lock"
FOLDER = ".enhance"

log = logging.getLogger(__name__)

_LINES = 100  # at most this many lines wait to be uploaded
_SECONDS = 5  # after this time, the next line triggers an upload
_PART = 4000  # lines per part
_IS_PART = re.compile(rf"{re.escape(FOLDER)}/\d{{20}}-[0-9a-f]{{32}}\.jsonl")


class Manifest(Results):
    """The results in a local folder and its subfolders; see `Results` for the methods.

    Not thread-safe, but any number of processes may use the same folder.
    """

    folder: LocalFolder

    def __init__(self, folder: LocalFolder, wanted: str) -> None:
        """Open the folder's manifest; creates what does not exist. Raises OSError."""
        super().__init__(folder, wanted)
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

    def find(self, photo: Entry) -> str | None:
        self._catch_up()
        return super().find(photo)

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
        with os.fdopen(self._file.fileno(), "rb", closefd=False) as lines:
            for text in lines:
                if not text.endswith(b"\n"):  # torn, or just being written
                    break
                self._ledger.read([text])
                self._read += len(text)

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


class Bucket(Results):
    """The results in a folder of a store; see `Results` for the methods.

    What other processes do at the same time is not seen, so each must have its own shard.
    """

    def __init__(self, folder: Folder, wanted: str) -> None:
        """Read the manifest. Raises OSError, also if the store is not writable."""
        super().__init__(folder, wanted)
        self._lock = Lock()  # guards the attributes below: a signal's timer may close
        self._begin_part()
        with suppress(FileExistsError):
            folder.create(
                f"{FOLDER}/about.txt", b"What `python -m enhance` has done is in the parts.\n"
            )
        folder.sizes |= {entry.name: entry.size for entry in folder.walk()}
        for part in sorted(filter(_IS_PART.fullmatch, folder.sizes)):  # by time
            self._ledger.read(folder.read(part).splitlines())

    def record(self, added: bytes) -> None:
        with self._lock:
            self._ledger.read([added])
            self._lines.append(added)
            waiting = len(self._lines) - self._put_lines
            if waiting < _LINES and time.monotonic() < self._put_at + _SECONDS:
                return
            try:
                self._upload()
            except OSError:  # the lines are not lost, but uploaded with the next ones
                log.exception("a part of the manifest could not be written")

    def check(self) -> None:
        with self._lock:
            self._upload()

    close = check

    def _begin_part(self) -> None:
        self._part = f"{FOLDER}/{time.time_ns():020}-{uuid.uuid4().hex}.jsonl"
        self._lines: list[bytes] = []
        self._put_lines, self._put_at = 0, time.monotonic()

    def _upload(self) -> None:
        if len(self._lines) > self._put_lines:
            self.folder.write(self._part, b"".join(self._lines))
            self._put_lines, self._put_at = len(self._lines), time.monotonic()
            if len(self._lines) >= _PART:
                self._begin_part()
