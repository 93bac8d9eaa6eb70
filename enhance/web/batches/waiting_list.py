"""Who waits for a turn at the page, and how many are ahead; Gradio's queue sets the order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from enhance.errors import Busy
from enhance.i18n import say

SILENT_SECONDS = 300
"""A batch whose page has not polled for this long loses its place in the queue. A page polls every
few seconds; in a background tab browsers slow that down to once a minute."""

_SHARE = 4  # one client may have at most a quarter of the queue


@dataclass
class _Waiting:
    client: str
    seen: float


class WaitingList:
    """Keys of the page's batches in the order of their turns. Thread-safe.

    Gradio's queue admits as many batches at once as there are models. This list stands beside it
    to answer what Gradio's cannot: whether anyone is waiting, so that a turn should end, and which
    batches are ahead of a given one.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """most: how many batches may wait; more are refused. clock: monotonic seconds."""
        self._most = most
        self._clock = clock
        self._entries: dict[str, _Waiting] = {}
        self._served: list[str] = []
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Raise Busy if the queue is full or holds too many batches of this client."""
        with self._lock:
            self._check(client)

    def join(self, key: str, client: str) -> None:
        """Join the end of the queue. client: its address. Raises Busy as `check` does."""
        with self._lock:
            self._check(client)
            self._entries[key] = _Waiting(client, self._clock())

    def rejoin(self, key: str, client: str) -> None:
        """Return to the end of the queue after a turn; a batch that has begun is never refused."""
        with self._lock:
            self._entries[key] = _Waiting(client, self._clock())

    def seen(self, key: str) -> bool:
        """Note that the batch's page has polled. Returns whether the batch is still waiting."""
        with self._lock:
            if waiting := self._waiting().get(key):
                waiting.seen = self._clock()
            return waiting is not None

    def leave(self, key: str) -> None:
        """Leave the queue; does nothing if the batch is not in it."""
        with self._lock:
            self._entries.pop(key, None)

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Wrap the block in which the batch is served."""
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
        """Whether another batch is waiting, so that the one being served should end its turn."""
        with self._lock:
            return bool(self._waiting())

    def served(self, key: str) -> bool:
        """Whether it is this batch's turn."""
        return key in self._served

    def ahead(self, key: str) -> list[str] | None:
        """The batches being served and those to be served before this one, in that order; None if
        this one is not waiting."""
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
                    "The queue is full: {count} waiting. Your photos are not lost; press "
                    "Enhance again in a few minutes.",
                    count=len(waiting),
                )
            )
        own = sum(other.client == client for other in waiting.values())
        if own >= max(1, self._most // _SHARE):
            raise Busy(
                say(
                    "Your address already has its share of the queue ({count} waiting). Your "
                    "photos are not lost; press Enhance again when one of your batches is done.",
                    count=own,
                )
            )

    def _waiting(self) -> dict[str, _Waiting]:
        """The waiting batches, after dropping those whose page no longer polls. Call it with the
        lock held."""
        oldest = self._clock() - SILENT_SECONDS
        for key in [key for key, one in self._entries.items() if one.seen < oldest]:
            del self._entries[key]
        return self._entries
