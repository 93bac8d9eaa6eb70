"""The lines of a manifest, and an index of them on disk, so that memory does not grow with them."""

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
"""The location of a result."""


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Done:
    """The latest result of a source. file: path relative to the folder of results."""

    file: str
    bytes: int


class Results(Protocol):
    """The folder that results are saved in, with a record of those it already holds."""

    def find(self, job: Job) -> PathOrUrl | None:
        """The result of a job, if there is one and its file still has the size it was given."""

    def save(self, job: Job, result: Result) -> PathOrUrl:
        """Write a result under its `filename`, a relative path, and record it.

        Never overwrites the result of another photo, but adds a number to the name instead. Raises
        OSError.
        """
        ...

    def fail(self, job: Job, failure: Failure) -> None:
        """Record why there is no result; a later run tries the photo again. Raises OSError."""

    def close(self) -> None:
        """Write what is still pending and close. May be called repeatedly. Raises OSError."""


def line(job: Job, **outcome: object) -> bytes:
    """The line of a manifest for a job that has ended."""
    return json.dumps({**vars(job), **outcome}).encode() + b"\n"


class Ledger:
    """The latest result of each source, and the source that each result's name belongs to."""

    def __init__(self) -> None:
        self._rows = scratch(
            "CREATE TABLE done (source BLOB PRIMARY KEY, size INTEGER, version TEXT, wanted TEXT,"
            " file BLOB, bytes INTEGER) WITHOUT ROWID;"
            # Case-folded names, because some file systems ignore case.
            "CREATE TABLE owners (name BLOB PRIMARY KEY, source BLOB) WITHOUT ROWID;"
        )

    def read(self, lines: Iterable[bytes]) -> None:
        """Add these lines; those that are torn or have no result are ignored."""
        for text in lines:
            try:
                self._remember(json.loads(text))
            except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
                continue  # torn by a crash; the next writer ended the line

    def find(self, job: Job) -> Done | None:
        """The result of this job, unless its source has got a different one since."""
        row = self._rows.execute(
            "SELECT file, bytes FROM done"
            " WHERE source = ? AND size = ? AND version = ? AND wanted = ?",
            (as_bytes(job.source), job.size, job.version, job.wanted),
        ).fetchone()
        return Done(as_text(row[0]), row[1]) if row else None

    def free(self, name: str, source: str) -> str:
        """The relative path `name`, with a number added if another source's result has it."""
        return next(one for one in numbered(name) if self._owner(one) in (None, as_bytes(source)))

    def close(self) -> None:
        """Delete the tables."""
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
