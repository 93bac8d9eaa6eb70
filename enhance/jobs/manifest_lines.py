"""The lines of a manifest, and tables on disk, so that memory grows neither with them nor with
photos."""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from enhance.files import safe

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
class Made:
    """A result. file: path relative to the folder of results.

    sha256: of the result; "" if the file may be somebody else's, None if an older version wrote
        the line.
    """

    file: str
    source: str
    bytes: int
    sha256: str | None


def line(job: Job, **outcome: object) -> bytes:
    """The line of a manifest for a job that has ended."""
    return json.dumps({**vars(job), **outcome}).encode() + b"\n"


def alike(name: str) -> bytes:
    """A key that is the same for all names that some file system takes for the same."""
    return as_bytes(unicodedata.normalize("NFC", name).casefold())


class Ledger:
    """The results by name, each with the job that it is of; a name belongs to the latest."""

    def __init__(self) -> None:
        self._rows = scratch(
            "CREATE TABLE made (name BLOB PRIMARY KEY, file BLOB, bytes INTEGER, sha256 TEXT,"
            " source BLOB, size INTEGER, version TEXT, wanted TEXT);"
            "CREATE INDEX sources ON made (source);"
        )

    def read(self, lines: Iterable[bytes]) -> None:
        """Add these lines; those that are torn or have no result are ignored."""
        for text in lines:
            try:
                self._remember(json.loads(text))
            except Exception:  # noqa: S112, a line that no run has written may raise anything
                continue

    def find(self, job: Job) -> Made | None:
        """The result of this job, unless its source has got a different one since."""
        return self._one(
            "rowid = (SELECT max(rowid) FROM made WHERE source = ?)"
            " AND size = ? AND version = ? AND wanted = ?",
            (as_bytes(job.source), job.size, job.version, job.wanted),
        )

    def made(self, name: str) -> Made | None:
        """The latest result with this name, or with one that some file system takes for it."""
        return self._one("name = ?", (alike(name),))

    def close(self) -> None:
        """Delete the tables."""
        self._rows.close()

    def _one(self, where: str, values: tuple[object, ...]) -> Made | None:
        query = f"SELECT file, source, bytes, sha256 FROM made WHERE {where}"  # noqa: S608, from above
        row = self._rows.execute(query, values).fetchone()
        return Made(as_text(row[0]), as_text(row[1]), row[2], row[3]) if row else None

    def _remember(self, said: dict[str, object]) -> None:
        if "file" in said:
            source, file = as_bytes(str(said["source"])), safe(str(said["file"]))
            made = alike(file), as_bytes(file), said["bytes"], said.get("result_sha256")
            job = source, said["size"], said["version"], said["wanted"]
            self._rows.execute("REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*made, *job))


def scratch(schema: str) -> sqlite3.Connection:
    """An empty database, private to this process; what does not fit in its cache is on disk.

    Threads may share it, one statement at a time. Closing it deletes it.
    """
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(f"PRAGMA journal_mode = OFF; {schema}")
    return database


def as_bytes(text: str) -> bytes:
    """A file name in the form stored in the database: it may contain bytes that are not text."""
    return text.encode("utf-8", "surrogatepass")


def as_text(data: bytes) -> str:
    """The inverse of `as_bytes`."""
    return data.decode("utf-8", "surrogatepass")
