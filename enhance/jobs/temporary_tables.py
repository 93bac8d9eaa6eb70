"""Tables that are too long for memory, in a database that nobody else sees."""

from __future__ import annotations

import sqlite3


def scratch(schema: str) -> sqlite3.Connection:
    """An empty database of this process alone; what does not fit its cache lies on the disk.

    Threads may share it, statement by statement. It is gone when it is closed.
    """
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(f"PRAGMA journal_mode = OFF; {schema}")
    return database


def as_bytes(text: str) -> bytes:
    """A name as `scratch` can keep it: names of files may hold bytes that are no text."""
    return text.encode("utf-8", "surrogatepass")


def as_text(data: bytes) -> str:
    """What `as_bytes` was given."""
    return data.decode("utf-8", "surrogatepass")
