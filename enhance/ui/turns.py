"""Whose turn it is at the model: the line in which the batches of the page wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from enhance.errors import Busy
from enhance.sentences import say

SILENT_SECONDS = 300
"""Whoever is not heard of for so long is not in the line any more. A waiting page asks for its
place every few seconds; one in the background once a minute, as browsers slow it down."""

_SHARE = 4  # of the line: a fourth of it at most is one client's


@dataclass
class _Waiting:
    client: str
    seen: float


class Turns:
    """Keys of batches in the order of their turns. Safe from any thread.

    Gradio's queue lets as many batches work as there are models; this line stands beside it and
    knows what that queue does not tell: whether anyone waits, so that a turn ends, and who is ahead
    of whom.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """most: how many may wait; further ones are refused. clock: seconds, never backwards."""
        self._most = most
        self._clock = clock
        self._line: dict[str, _Waiting] = {}
        self._served: list[str] = []
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Raise Busy if the line is full, or has too many batches of that client."""
        with self._lock:
            self._check(client)

    def join(self, key: str, client: str) -> None:
        """Join the end of the line. client: an address. Raises Busy as `check` does."""
        with self._lock:
            self._check(client)
            self._line[key] = _Waiting(client, self._clock())

    def rejoin(self, key: str, client: str) -> None:
        """Go to the end of the line after a turn; who has begun is never refused."""
        with self._lock:
            self._line[key] = _Waiting(client, self._clock())

    def seen(self, key: str) -> bool:
        """Whether it still waits, now that its page has asked."""
        with self._lock:
            if waiting := self._waiting().get(key):
                waiting.seen = self._clock()
            return waiting is not None

    def leave(self, key: str) -> None:
        """Leave the line; who is not in it may too."""
        with self._lock:
            self._line.pop(key, None)

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
        with self._lock:
            return bool(self._waiting())

    def served(self, key: str) -> bool:
        """Whether it is this batch's turn."""
        return key in self._served

    def ahead(self, key: str) -> list[str] | None:
        """Who will be served before this batch, first the one that is now; None: not waiting."""
        with self._lock:
            waiting = list(self._waiting())
            if key not in waiting:
                return None
            return self._served + waiting[: waiting.index(key)]

    def _check(self, client: str) -> None:
        waiting = self._waiting()
        if len(waiting) >= self._most:
            raise Busy(
                say(
                    "The line is full: {count} waiting. Your photos are not lost: press "
                    "Enhance again in a few minutes.",
                    count=len(waiting),
                )
            )
        own = sum(other.client == client for other in waiting.values())
        if own >= max(1, self._most // _SHARE):
            raise Busy(
                say(
                    "Your address has its share of the line: {count} waiting. Your photos are "
                    "not lost: press Enhance again when one of your batches is done.",
                    count=own,
                )
            )

    def _waiting(self) -> dict[str, _Waiting]:
        """The line, without those of whom nothing was heard. Call it locked."""
        oldest = self._clock() - SILENT_SECONDS
        for key in [key for key, one in self._line.items() if one.seen < oldest]:
            del self._line[key]
        return self._line
