"""A manifest in a folder of results, so that later runs know what is already done.

`.enhance.jsonl` in that folder gets one line of JSON per photo, appended once the result has its
final name. A process may be killed at any moment. At worst a photo's result is complete but its
line is missing, and the photo is done once more; a torn line is ignored. Several processes may
write to one folder: each saves while it holds the lock beside the manifest, after reading what the
others have appended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from enhance.files import remove_partial, write_bytes
from enhance.jobs.manifest_lines import Job, Ledger, line
from enhance.records import Failure, Result

NAME = ".enhance.jsonl"
LOCK = ".enhance.lock"

_CHUNK = 1 << 20  # bytes of the manifest that are read at once


class Manifest:
    """The results in a local folder and its subfolders; see `Results`.

    Not thread-safe, but any number of processes may use the same folder.
    """

    def __init__(self, folder: Path) -> None:
        """Open the folder's manifest; creates what does not exist. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = (folder / NAME).open("a+b", buffering=0)
        # No fallback: raise OSError on a file system without locks.
        self._lock = FileLock(folder / LOCK, fallback_to_soft=False)
        self._read = 0  # bytes of the file that have been read
        self._ledger = Ledger()
        self._ready: Path | None = None  # the folder that was last written to
        with self._locked():
            self._make_ready(folder)

    def find(self, job: Job) -> Path | None:
        """See `Results.find`."""
        self._catch_up()
        done = self._ledger.find(job)
        if done is None:
            return None
        path = self._folder / done.file
        try:
            return path if path.stat().st_size == done.bytes else None
        except OSError:
            return None

    def save(self, job: Job, result: Result) -> Path:
        """See `Results.save`."""
        with self._locked():
            name = self._ledger.free(result.filename, job.source)
            path = self._folder / name
            self._make_ready(path.parent)
            write_bytes(path, result.data)
            self._append(line(job, file=name, bytes=len(result.data)))
        return path

    def fail(self, job: Job, failure: Failure) -> None:
        """See `Results.fail`."""
        with self._locked():
            self._append(line(job, failed=failure.kind, reason=failure.reason))

    def close(self) -> None:
        """See `Results.close`."""
        self._file.close()
        self._ledger.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock:
            self._catch_up()
            yield

    def _make_ready(self, folder: Path) -> None:
        """Create the folder and remove leftovers. Call it with the lock held, so that nobody else
        is writing."""
        if folder != self._ready:
            folder.mkdir(parents=True, exist_ok=True)
            remove_partial(folder)
            self._ready = folder

    def _append(self, added: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() > self._read:  # the file ends with a torn line
            added = b"\n" + added
        self._file.write(added)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read the complete lines that were added since the last call."""
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
