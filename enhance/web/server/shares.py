"""A share for each client of what is finite: so many of it at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Share:
    """At most `most` of something at a time for each client. Thread-safe."""

    def __init__(self, most: int) -> None:
        """most: from 1."""
        self.most = most
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, client: str) -> bool:
        """Take one if the client's share allows it. Returns whether it does; if so, `give` it back.

        client: a `client_key`.
        """
        with self._lock:
            if self._taken[client] >= self.most:
                return False
            self._taken[client] += 1
            return True

    def give(self, client: str) -> None:
        """Give back what was taken."""
        with self._lock:
            self._taken[client] -= 1
            if not self._taken[client]:  # so that nothing grows for ever
                del self._taken[client]

    @contextmanager
    def taken(self, client: str) -> Iterator[bool]:
        """Take one for the block, if the share allows it; the value says whether it does."""
        took = self.take(client)
        try:
            yield took
        finally:
            if took:
                self.give(client)
