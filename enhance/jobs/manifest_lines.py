"""The lines of a manifest, and an index of them on disk, so that memory does not grow with them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from enhance.files import safe
from enhance.jobs.temporary_tables import as_bytes, as_text, scratch

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
    """The latest result of each source, and the source that each result's name belongs to."""

    def __init__(self) -> None:
        self._rows = scratch(
            "CREATE TABLE done (source BLOB PRIMARY KEY, size INTEGER, version TEXT, wanted TEXT,"
            " name BLOB) WITHOUT ROWID;"
            "CREATE TABLE made (name BLOB PRIMARY KEY, file BLOB, source BLOB, bytes INTEGER,"
            " sha256 TEXT) WITHOUT ROWID;"
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
        row = self._rows.execute(
            "SELECT name FROM done WHERE source = ? AND size = ? AND version = ? AND wanted = ?",
            (as_bytes(job.source), job.size, job.version, job.wanted),
        ).fetchone()
        found = self._made(row[0]) if row else None
        return found if found and found.source == job.source else None

    def made(self, name: str) -> Made | None:
        """The latest result with this name, or with one that some file system takes for it."""
        return self._made(alike(name))

    def close(self) -> None:
        """Delete the tables."""
        self._rows.close()

    def _made(self, key: bytes) -> Made | None:
        row = self._rows.execute(
            "SELECT file, source, bytes, sha256 FROM made WHERE name = ?", (key,)
        ).fetchone()
        return Made(as_text(row[0]), as_text(row[1]), row[2], row[3]) if row else None

    def _remember(self, said: dict[str, object]) -> None:
        if "file" not in said:
            return
        source, file = as_bytes(str(said["source"])), safe(str(said["file"]))
        done = (source, said["size"], said["version"], said["wanted"], alike(file))
        made = (alike(file), as_bytes(file), source, said["bytes"], said.get("result_sha256"))
        self._rows.execute("REPLACE INTO made VALUES (?, ?, ?, ?, ?)", made)
        self._rows.execute("REPLACE INTO done VALUES (?, ?, ?, ?, ?)", done)
