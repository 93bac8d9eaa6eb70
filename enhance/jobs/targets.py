"""Where a result may be written: nothing is replaced that was not made here.

A result gets its name if nothing is there. Where something is, it is replaced only if it is this
photo's own earlier result: the manifest says that a run put it where nothing was, and its bytes
still have the SHA-256 that the manifest remembers. A size or a modification time would be cheaper
to compare, but a retouch may keep the one and a copy loses the other, and reading a file costs
little beside making it. If the bytes there are already those of the new result, as after a crash
before the manifest was written, nothing is written at all, and the file is not taken for our own.
In all other cases the result gets a number.

So no photo is ever replaced, whatever it is called and however it is linked: photos are not put
there by a run, and the results of earlier runs are left out of the listing.
"""

import hashlib
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext

from enhance.files import numbered, safe
from enhance.jobs.folder import Folder
from enhance.jobs.ledger import Job, Ledger, line
from enhance.records import Failure, Result


class Results(ABC):
    """The folder that results are saved in, with a record of those it already holds.

    What differs between the folders of this machine and those of stores is how the manifest is
    read and written. Names are relative paths; all methods raise OSError.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._ledger = Ledger()

    def find(self, job: Job) -> str | None:
        """The name of a job's result, if there is one and its file still has its size."""
        done = self._ledger.find(job)
        return done.file if done and self.folder.size(done.file) == done.bytes else None

    def save(self, job: Job, result: Result) -> str:
        """Write a result under its `filename`, a relative path, and record it.

        Returns its name, which has got a number if that was taken, see above.
        """
        with self.locked():
            name, digest = self._put(job.source, safe(result.filename), result.data)
            self.record(line(job, file=name, bytes=len(result.data), result_sha256=digest))
        return name

    def fail(self, job: Job, failure: Failure) -> None:
        """Record why there is no result; a later run tries the photo again."""
        with self.locked():
            self.record(line(job, failed=failure.kind, reason=failure.reason))

    def _put(self, source: str, wanted: str, data: bytes) -> tuple[str, str]:
        """Write a photo's result under the first free name: `wanted`, or the same with a number.

        Returns the name, and the SHA-256 of the result, or "" if the file was there already and may
        be somebody else's.
        """
        self.folder.prepare(wanted)
        digest = hashlib.sha256(data).hexdigest()
        for name in numbered(wanted):
            made = self._ledger.made(name)
            if made and made.job.source != source:
                continue
            if not self.folder.exists(name):
                try:
                    self.folder.create(name, data)
                    return name, digest
                except FileExistsError:  # it has appeared just now
                    pass
            earlier = made.sha256 if made else None
            sizes = {len(data), made.bytes} if made and earlier else {len(data)}
            there = self.folder.digest(name, sizes, source)
            if there == digest:
                return name, digest if there == earlier else ""
            if there and there == earlier:
                self.folder.write(name, data)
                return name, digest
        raise AssertionError("there is always another number")

    def made(self, source: str) -> bool:
        """Whether the photo at this absolute path is one of these results, whatever path leads to
        it, and still has its size. What is in a store has no path."""
        return False

    def locked(self) -> AbstractContextManager[None]:
        """Keeps others from writing meanwhile, where that is possible."""
        return nullcontext()

    @abstractmethod
    def record(self, added: bytes) -> None:
        """Add a line to the manifest and the ledger."""

    @abstractmethod
    def check(self) -> None:
        """Between runs: write what is still pending, and make sure that this is still the folder
        that was opened, which may have been away. It is never made anew."""

    @abstractmethod
    def close(self) -> None:
        """Write what is still pending and close. May be called repeatedly."""
