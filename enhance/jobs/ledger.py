"""The lines of a manifest, and the results that they tell of."""

import json
import sys
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from enhance.files import safe


@dataclass(frozen=True, slots=True)
class Job:
    """A photo in its present state, and the options for it. Equal jobs have equal results.

    source: absolute path or URL.
    size: in bytes; 0 if there is no file.
    version: something that changes with the photo: its modification time in nanoseconds, or the
        store's ETag; "" if there is no file.
    wanted: anything that distinguishes one set of options from another.
    sha256: hash of the photo if it could be read; recorded, but not compared.
    """

    source: str
    size: int
    version: str
    wanted: str
    sha256: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Made:
    """The result of a job. file: path relative to the folder of results.

    sha256: of the result; "" if the file may be somebody else's, None if an older version wrote
        the line.
    """

    job: Job
    file: str
    bytes: int
    sha256: str | None


def line(job: Job, **outcome: object) -> bytes:
    """The line of a manifest for a job that has ended."""
    return json.dumps({**asdict(job), **outcome}).encode() + b"\n"


def alike(name: str) -> bytes:
    """A key that is the same for all names that some file system takes for the same."""
    text = unicodedata.normalize("NFC", name).casefold()
    return text.encode("utf-8", "surrogatepass")  # it may contain bytes that are not text


class Ledger:
    """The results by name, each with the job that it is of; a name belongs to the latest."""

    def __init__(self) -> None:
        self._by_name: dict[bytes, Made] = {}
        self._latest: dict[str, Made] = {}  # by the photo's source

    def read(self, lines: Iterable[bytes]) -> None:
        """Add these lines; those that are torn or have no result are ignored."""
        for text in lines:
            with suppress(Exception):  # a line that no run has written may raise anything
                said = json.loads(text)
                source, wanted = str(said["source"]), sys.intern(said["wanted"])
                job = Job(source, said["size"], said["version"], wanted)
                file, sha256 = safe(str(said["file"])), said.get("result_sha256")
                made = Made(job, file, int(said["bytes"]), sha256)
                self._by_name[alike(file)] = self._latest[source] = made

    def find(self, job: Job) -> Made | None:
        """The result of this job, unless its source or its name has got a different one since."""
        made = self._latest.get(job.source)
        return made if made and made.job == job and made is self.made(made.file) else None

    def made(self, name: str) -> Made | None:
        """The latest result with this name, or with one that some file system takes for it."""
        return self._by_name.get(alike(name))
