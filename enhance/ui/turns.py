"""Whose turn it is at the model: the line in which the batches of the page wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from enhance.errors import Busy
from enhance.sentences import say


class Turns:
    """Keys of batches in the order of their turns. Safe from any thread.

    Gradio's queue lets one batch at a time work; this line stands beside it and knows what that
    queue does not tell: whether anyone waits, so that a turn ends, and who is ahead of whom.
    """

    def __init__(self, most: int) -> None:
        """most: how many may wait; further ones are refused."""
        self._most = most
        self._waiting: list[str] = []
        self._served: list[str] = []
        self._lock = threading.Lock()

    def join(self, key: str) -> None:
        """Join the end of the line. Raises Busy when it is full."""
        with self._lock:
            if len(self._waiting) >= self._most:
                raise Busy(
                    say(
                        "{count} people are waiting already. Your photos are not lost: press "
                        "Enhance again in a few minutes.",
                        count=len(self._waiting),
                    )
                )
            self._waiting.append(key)

    def rejoin(self, key: str) -> None:
        """Go to the end of the line after a turn; who has begun is never refused."""
        with self._lock:
            self._waiting.append(key)

    def leave(self, key: str) -> None:
        """Give up the place in the line, if there is one."""
        with self._lock:
            if key in self._waiting:
                self._waiting.remove(key)

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """While the batch is served."""
        self.leave(key)
        with self._lock:
            self._served.append(key)
        try:
            yield
        finally:
            with self._lock:
                self._served.remove(key)

    @property
    def someone_waits(self) -> bool:
        """Whether the one that is served should hand over."""
        return bool(self._waiting)

    def served(self, key: str) -> bool:
        """Whether it is this batch's turn."""
        return key in self._served

    def ahead(self, key: str) -> list[str] | None:
        """Who will be served before this batch, first the one that is now; None: not waiting."""
        with self._lock:
            if key not in self._waiting:
                return None
            return self._served + self._waiting[: self._waiting.index(key)]
