"""Tables that are too large for memory, in a private temporary database."""

from __future__ import annotations

import sqlite3


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
