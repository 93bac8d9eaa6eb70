"""What is done already in a folder of results, remembered beyond the process that did it.

`.enhance.jsonl` in that folder gets one line of JSON per photo, appended when its result is there
under its final name. A process may be killed at any moment: at worst a photo was finished and its
line was not, and that photo is made once more; a line that was torn counts as none. Several
processes may work into one folder: each saves while it holds the lock beside the manifest, and
has read by then what the others wrote.
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
    """The results in a local folder and the folders in it; see `Results`.

    One thread uses it, any number of processes may.
    """

    def __init__(self, folder: Path) -> None:
        """Opens what is there or begins anew; the folder is made if need be. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = (folder / NAME).open("a+b", buffering=0)
        # Without the fallback it raises OSError where a file system has no locks.
        self._lock = FileLock(folder / LOCK, fallback_to_soft=False)
        self._read = 0  # bytes of the file that are known
        self._ledger = Ledger()
        self._ready: Path | None = None  # the folder that was written into last
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
        """Make the folder, without leftovers; whoever holds the lock is the only one who writes."""
        if folder != self._ready:
            folder.mkdir(parents=True, exist_ok=True)
            remove_partial(folder)
            self._ready = folder

    def _append(self, added: bytes) -> None:
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() > self._read:  # a torn line stands at the end
            added = b"\n" + added
        self._file.write(added)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read the whole lines that were added since the last time."""
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
