"""Who waits for a turn at the page, and how many are ahead; `engines.queue` says who is next."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENT_SECONDS = 300
"""A batch whose page has not polled for this long loses its place in the queue. A page polls every
few seconds; in a background tab browsers slow that down to once a minute."""


class WaitingList:
    """Keys of the page's batches in the order of their turns. Thread-safe.

    Gradio's queue admits as many batches at once as there are models. This list stands beside it
    to answer what Gradio's cannot: whether anyone is waiting, so that a turn should end, and which
    batches are ahead of a given one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: monotonic seconds."""
        self._clock = clock
        self._seen: dict[str, float] = {}
        self._served: list[str] = []
        self._lock = threading.RLock()

    def join(self, key: str) -> None:
        """Join the end of the queue."""
        with self._lock:
            self._seen[key] = self._clock()

    def seen(self, key: str) -> bool:
        """Note that the batch's page has polled. Returns whether the batch is still waiting."""
        with self._lock:
            waiting = key in self.waiting
            if waiting:
                self._seen[key] = self._clock()
            return waiting

    def leave(self, key: str) -> None:
        """Leave the queue; does nothing if the batch is not in it."""
        with self._lock:
            self._seen.pop(key, None)

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
    def waiting(self) -> list[str]:
        """The waiting batches, after dropping those whose page no longer polls. While there are
        any, the batch being served should end its turn."""
        with self._lock:
            oldest = self._clock() - SILENT_SECONDS
            self._seen = {key: seen for key, seen in self._seen.items() if seen >= oldest}
            return [*self._seen]

    def served(self, key: str) -> bool:
        """Whether it is this batch's turn."""
        return key in self._served

    def ahead(self, key: str) -> list[str] | None:
        """The batches being served and those to be served before this one, in that order; None if
        this one is not waiting."""
        waiting = self.waiting
        return self._served + waiting[: waiting.index(key)] if key in waiting else None
