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
import json
import sys
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from enhance.files import numbered, safe
from enhance.jobs.folder import Entry, Folder
from enhance.records import Failure, Result


@dataclass(frozen=True, slots=True)
class Made:
    """A line of a manifest: a photo's result.

    source, size, version: of the photo, see `Entry`. wanted: see `Results`.
    file: the result's path relative to the folder of results. bytes: its size.
    sha256: of the result; "" if the file may be somebody else's, None if an older version wrote
        the line.
    """

    source: str
    size: int
    version: str
    wanted: str
    file: str
    bytes: int
    sha256: str | None


def alike(name: str) -> bytes:
    """A key that is the same for all names that some file system takes for the same."""
    text = unicodedata.normalize("NFC", name).casefold()
    return text.encode("utf-8", "surrogatepass")  # it may contain bytes that are not text


class Ledger:
    """The results that a manifest tells of; a name belongs to the latest."""

    def __init__(self) -> None:
        self._by_name: dict[bytes, Made] = {}
        self._latest: dict[str, Made] = {}  # by the photo's source

    def read(self, lines: Iterable[bytes]) -> None:
        """Add these lines; those that are torn or have no result are ignored."""
        for text in lines:
            with suppress(Exception):  # a line that no run has written may raise anything
                said = json.loads(text)
                source, wanted = str(said["source"]), sys.intern(said["wanted"])
                file, sha256 = safe(str(said["file"])), said.get("result_sha256")
                size, version = said["size"], said["version"]
                made = Made(source, size, version, wanted, file, int(said["bytes"]), sha256)
                self._by_name[alike(file)] = self._latest[source] = made

    def latest(self, source: str) -> Made | None:
        """The latest result of this photo, unless its name has got a different one since."""
        made = self._latest.get(source)
        return made if made and made is self.made(made.file) else None

    def made(self, name: str) -> Made | None:
        """The latest result with this name, or with one that some file system takes for it."""
        return self._by_name.get(alike(name))


class Results(ABC):
    """The folder that results are saved in, with a record of those it already holds.

    wanted: anything that distinguishes one set of options from another. A photo in the same state
    with the same options has the same result.

    What differs between the folders of this machine and those of stores is how the manifest is
    read and written. Names are relative paths; all methods raise OSError.
    """

    def __init__(self, folder: Folder, wanted: str) -> None:
        self.folder = folder
        self._wanted = wanted
        self._ledger = Ledger()

    def find(self, photo: Entry) -> str | None:
        """The name of a photo's result, if it is of the photo's present state and the same options,
        and its file still has its size."""
        made = self._ledger.latest(photo.source)
        state = photo.size, photo.version, self._wanted
        if made is None or state != (made.size, made.version, made.wanted):
            return None
        return made.file if self.folder.size(made.file) == made.bytes else None

    def save(self, photo: Entry, sha256: str, result: Result) -> str:
        """Write a result under its `filename`, a relative path, and record it.

        sha256: of the photo, or "" if it could not be read; recorded, but not compared.
        Returns the result's name, which has got a number if that was taken, see above.
        """
        with self.locked():
            name, digest = self._put(photo.source, safe(result.filename), result.data)
            size = len(result.data)
            self.record(self._line(photo, sha256, file=name, bytes=size, result_sha256=digest))
        return name

    def fail(self, photo: Entry, sha256: str, failure: Failure) -> None:
        """Record why there is no result; a later run tries the photo again. sha256: see `save`."""
        with self.locked():
            line = self._line(photo, sha256, failed=failure.kind, reason=failure.reason)
            self.record(line)

    def _line(self, photo: Entry, sha256: str, **outcome: object) -> bytes:
        """The line of the manifest for a photo that is done or has failed."""
        state = {"source": photo.source, "size": photo.size, "version": photo.version}
        said = {**state, "wanted": self._wanted, "sha256": sha256, **outcome}
        return json.dumps(said).encode() + b"\n"

    def _put(self, source: str, proposed: str, data: bytes) -> tuple[str, str]:
        """Write a photo's result under the first free name: `proposed`, or that with a number.

        Returns the name, and the SHA-256 of the result, or "" if the file was there already and may
        be somebody else's.
        """
        self.folder.prepare(proposed)
        digest = hashlib.sha256(data).hexdigest()
        for name in numbered(proposed):
            made = self._ledger.made(name)
            if made and made.source != source:
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
