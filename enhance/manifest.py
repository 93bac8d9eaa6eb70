"""What is done already in a folder of results, remembered beyond the process that did it.

`.enhance.jsonl` in that folder gets one line of JSON per photo, appended when its result is there
under its final name. A process may be killed at any moment: at worst a photo was finished and its
line was not, and that photo is made once more; a line that was torn counts as none. Several
processes may work into one folder: each saves while it holds the lock on the manifest, and has
read by then what the others wrote.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from enhance.files import remove_partial, write_bytes
from enhance.records import Failure, Result

NAME = ".enhance.jsonl"


@dataclass(frozen=True)
class Job:
    """A photo as it is now, and what is wanted of it: equal jobs have equal results.

    source: absolute path. size, mtime_ns: of its file, in bytes and nanoseconds; 0 when there is
    none. wanted: anything that tells one set of options from another.
    """

    source: str
    size: int
    mtime_ns: int
    wanted: str

    @classmethod
    def of(cls, path: Path, wanted: str) -> Job:
        """The job of a photo that lies in `path`."""
        try:
            status = path.stat()
            return cls(str(path.absolute()), status.st_size, status.st_mtime_ns, wanted)
        except OSError:
            return cls(str(path.absolute()), 0, 0, wanted)


@dataclass(frozen=True)
class _Done:
    """The last result of a source: a file in the folder, of so many bytes."""

    job: Job
    file: str
    bytes: int


class Manifest:
    """The manifest of one folder. One thread uses it, any number of processes may."""

    def __init__(self, folder: Path) -> None:
        """Opens what is there or begins anew; the folder is made if need be. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = (folder / NAME).open("a+b", buffering=0)
        self._read = 0  # bytes of the file that are known
        self._done: dict[str, _Done] = {}  # by source
        self._owners: dict[str, str] = {}  # name of a result, without case → its source
        with self._locked():
            remove_partial(folder)  # whoever holds the lock is the only one who writes

    def find(self, job: Job) -> Path | None:
        """The result of a job that is done, if it still lies there as it was written."""
        self._catch_up()
        done = self._done.get(job.source)
        if done is None or done.job != job:
            return None
        path = self._folder / done.file
        try:
            return path if path.stat().st_size == done.bytes else None
        except OSError:
            return None

    def save(self, job: Job, result: Result) -> Path:
        """Write a result and remember it; never over the result of another photo.

        Raises OSError when one or the other cannot be written.
        """
        with self._locked():
            path = self._folder / self._free(result.filename, job.source)
            write_bytes(path, result.data)
            self._append(job, file=path.name, bytes=len(result.data))
        return path

    def fail(self, job: Job, failure: Failure) -> None:
        """Remember why there is no result; the photo will be tried again. Raises OSError."""
        with self._locked():
            self._append(job, failed=failure.kind, reason=failure.reason)

    def close(self) -> None:
        """Let the file go."""
        self._file.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._catch_up()
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _free(self, name: str, source: str) -> str:
        """The name, or one with a number if another photo's result has it."""
        path = Path(name)
        for number in count(2):
            if self._owners.get(name.casefold(), source) == source:
                break
            name = f"{path.stem}_{number}{path.suffix}"
        return name

    def _append(self, job: Job, **outcome: object) -> None:
        line = json.dumps({**vars(job), **outcome}).encode() + b"\n"
        self._file.seek(0, os.SEEK_END)
        if self._file.tell() > self._read:  # a torn line stands at the end
            line = b"\n" + line
        self._file.write(line)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read the whole lines that were added since the last time."""
        if os.fstat(self._file.fileno()).st_size <= self._read:
            return
        self._file.seek(self._read)
        added = self._file.read()
        whole = added[: added.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                self._remember(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # torn by a crash, and ended by whoever wrote next
        self._read += len(whole)

    def _remember(self, line: dict[str, Any]) -> None:
        if "file" not in line:
            return
        job = Job(line["source"], line["size"], line["mtime_ns"], line["wanted"])
        self._done[job.source] = _Done(job, line["file"], line["bytes"])
        self._owners[line["file"].casefold()] = job.source
