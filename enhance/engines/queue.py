"""The order of service: whose photo is enhanced next. This is the one place that decides it.

The rule (`PhotoQueue.turn`): people's photos before those of folder runs, then the first photo of
a run before the others, then by arrival. How the order comes about, from the outside in:

- Page: Gradio's queue lets as many batches work at once as there are models (`MODEL_QUEUE` in
  web/page/actions). A batch ends its turn when another one waits (web/batches/waiting_list) and
  goes to the end of Gradio's queue, so its photos come here a slice, that is a run, at a time.
- API (web/api) and folder runs (jobs/run): one run per request or command, for all its photos.
- A run has only a few photos in the queue, `replicas` + 1: so long runs take turns by themselves.
- Without Ray (engines/local) the queue stands before the thread that owns the model, and another
  one before the thread that decodes; a command is a process of its own, with its own model.
- With Ray (engines/ray_pool) one actor has the queue of the whole cluster, for all pages, APIs and
  commands; each free replica takes the next photo.

So a single photo waits for the photo in progress and for other runs' first photos that came before.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

_OVERTAKING = 16
"""Fewer than so many first photos, for each replica, may go before a photo that came earlier.
Otherwise a stream of single photos could hold up a batch for ever."""


class Turn(NamedTuple):
    """A photo's place in a queue: the smallest is next. No two are equal."""

    yields: bool
    place: int
    arrival: int


class PhotoQueue(Generic[T]):
    """Whatever stands for the waiting photos, in the order of their turns. Thread-safe."""

    def __init__(self, replicas: int = 1) -> None:
        """replicas: how many photos may be taken at a time, at most."""
        self._overtaking = _OVERTAKING * replicas
        self._arrivals = count()
        self._waiting: list[tuple[Turn, T]] = []
        self._lock = Lock()

    def turn(self, *, first: bool, yields: bool = False) -> Turn:
        """The turn of a photo that arrives now.

        first: it is the first one of its run. yields: it is of a folder run.
        """
        arrival = next(self._arrivals)
        return Turn(yields, arrival if first else arrival + self._overtaking, arrival)

    def put(self, turn: Turn, photo: T) -> None:
        """Add a photo; one that has to wait again keeps its turn."""
        with self._lock:
            heappush(self._waiting, (turn, photo))

    def take(self) -> T:
        """Remove and return the photo whose turn is next. Raises IndexError if none waits."""
        with self._lock:
            return heappop(self._waiting)[1]

    @property
    def waiting(self) -> list[tuple[Turn, T]]:
        """All waiting photos with their turns, in no particular order."""
        with self._lock:
            return list(self._waiting)
