"""What the lines of a manifest say, kept on the disk and not in memory, however many they are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from enhance.files import numbered
from enhance.jobs.temporary_tables import as_bytes, as_text, scratch
from enhance.records import Failure, Result

PathOrUrl: TypeAlias = Path | str
"""Where a result lies: a path, or a URL."""


@dataclass(frozen=True)
class Job:
    """A photo as it is now, and what is wanted of it: equal jobs have equal results.

    source: absolute path, or URL. size: in bytes. version: what changes when the photo does: time
    of change in nanoseconds, or the store's own mark (ETag). 0 and "" when there is no file.
    wanted: anything that tells one set of options from another. sha256: of the photo, as far as it
    was read; it is written down, not compared.
    """

    source: str
    size: int
    version: str
    wanted: str
    sha256: str = field(default="", compare=False)


@dataclass(frozen=True)
class Done:
    """The last result of a source: a file, relative to the folder of results, of so many bytes."""

    file: str
    bytes: int


class Results(Protocol):
    """Where results go, and what is known of those that are there already."""

    def find(self, job: Job) -> PathOrUrl | None:
        """The result of a job that is done, if it still lies there as it was written."""

    def save(self, job: Job, result: Result) -> PathOrUrl:
        """Write a result under its `filename`, a relative path, and remember it.

        Never over the result of another photo: then a number is added to its name. Raises OSError.
        """
        ...

    def fail(self, job: Job, failure: Failure) -> None:
        """Remember why there is no result; the photo will be tried again. Raises OSError."""

    def close(self) -> None:
        """Write down what is not written yet and let go. Any number of times. Raises OSError."""


def line(job: Job, **outcome: object) -> bytes:
    """The line of a manifest for a job that is over."""
    return json.dumps({**vars(job), **outcome}).encode() + b"\n"


class Ledger:
    """The last result of each source, and which source each result's name belongs to."""

    def __init__(self) -> None:
        self._rows = scratch(
            "CREATE TABLE done (source BLOB PRIMARY KEY, size INTEGER, version TEXT, wanted TEXT,"
            " file BLOB, bytes INTEGER) WITHOUT ROWID;"
            # A name without case: so it is for some file systems.
            "CREATE TABLE owners (name BLOB PRIMARY KEY, source BLOB) WITHOUT ROWID;"
        )

    def read(self, lines: Iterable[bytes]) -> None:
        """Remember what the lines say; one that is torn, or tells of no result, says nothing."""
        for text in lines:
            try:
                self._remember(json.loads(text))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                continue  # torn by a crash, and ended by whoever wrote next

    def find(self, job: Job) -> Done | None:
        """The result of this job, if its source had no other one since."""
        row = self._rows.execute(
            "SELECT file, bytes FROM done"
            " WHERE source = ? AND size = ? AND version = ? AND wanted = ?",
            (as_bytes(job.source), job.size, job.version, job.wanted),
        ).fetchone()
        return Done(as_text(row[0]), row[1]) if row else None

    def free(self, name: str, source: str) -> str:
        """The relative path, or one with a number if another source's result has it."""
        return next(one for one in numbered(name) if self._owner(one) in (None, as_bytes(source)))

    def close(self) -> None:
        """Forget everything."""
        self._rows.close()

    def _owner(self, name: str) -> bytes | None:
        row = self._rows.execute(
            "SELECT source FROM owners WHERE name = ?", (as_bytes(name.casefold()),)
        ).fetchone()
        return row[0] if row else None

    def _remember(self, said: dict[str, object]) -> None:
        if "file" not in said:
            return
        source, file = as_bytes(str(said["source"])), str(said["file"])
        known = (source, said["size"], said["version"], said["wanted"], as_bytes(file))
        self._rows.execute("REPLACE INTO done VALUES (?, ?, ?, ?, ?, ?)", (*known, said["bytes"]))
        self._rows.execute("REPLACE INTO owners VALUES (?, ?)", (as_bytes(file.casefold()), source))
