"""The order of service: whose photo is enhanced next. This is the place that decides it.

The rule (`PhotoQueue.put`): people's photos before those of folder runs; then clients take turns,
photo by photo, and who has not been served for a while comes first; then by arrival. How the order
comes about, from the outside in:

- Page: Gradio's queue lets as many batches work at once as there are models (`MODEL_QUEUE` in
  web/page/actions). A batch ends its turn when another one waits (web/batches/waiting_list) and
  goes to the end of Gradio's queue, so its photos come here a slice, that is a run, at a time.
  How much of Gradio's queue a client may have is decided in web/server/shared_queue.
- APIs (web/gradio_api, web/plain_http), folder runs (jobs/run): one run per request or command.
- A run has only a few photos in the queue, `replicas` + 1: so long runs take turns by themselves.
- Without Ray (engines/local) the queue stands before the thread that owns the model, and another
  one before the thread that decodes; a command is a process of its own, with its own model.
- With Ray (engines/ray_pool) one actor has the queue of the whole cluster, for all pages, APIs and
  commands; each free replica takes the next photo.

So a single photo waits for the photo in progress, and for those of other clients that came as new.
"""

from heapq import heappop, heappush
from itertools import count
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

_NEWCOMERS = 16
"""So many clients, for each replica, who have not been served for a while may go before one who
has. Otherwise a stream of new clients could hold up a batch for ever."""
_REMEMBERED = 1000  # clients, before those are forgotten who have not been served for a while


class Turn(NamedTuple):
    """A photo's place in a queue: the smallest is next. No two are equal."""

    yields: bool
    place: float
    arrival: int


class PhotoQueue(Generic[T]):
    """Whatever stands for the waiting photos, in the order of their turns. Thread-safe.

    A client's photos get places one apart, beginning at the place that is served just now
    (start-time fair queueing: Goyal et al. 1996, with photos of equal length).
    """

    def __init__(self, replicas: int = 1) -> None:
        """replicas: how many photos may be taken at a time, at most."""
        self._step = 1 / (_NEWCOMERS * replicas)
        self._now = 0.0  # the place that is served
        self._last: dict[tuple[str, bool], float] = {}  # places of clients' first and other photos
        self._arrivals = count()
        self._waiting: list[tuple[Turn, T]] = []
        self._lock = Lock()

    def put(self, photo: T, client: str, *, first: bool, yields: bool = False) -> None:
        """Add a photo that arrives now.

        client: whose it is. first: it is the first one of its run, which need not wait for the
        other photos of the client's earlier runs. yields: it is of a folder run.
        """
        with self._lock:
            if len(self._last) > _REMEMBERED:
                self._last = {key: at for key, at in self._last.items() if at + 1 > self._now}
            kinds = (True,) if first else (True, False)
            earlier = (self._last.get((client, kind), -1.0) for kind in kinds)
            place = max(self._now, max(earlier) + 1)
            self._last[client, first] = place
            heappush(self._waiting, (Turn(yields, place, next(self._arrivals)), photo))

    def take(self) -> T:
        """Remove and return the photo whose turn is next. Raises IndexError if none waits."""
        with self._lock:
            turn, photo = heappop(self._waiting)
            self._now = max(self._now + self._step, turn.place)
            return photo

    @property
    def waiting(self) -> list[tuple[Turn, T]]:
        """All waiting photos with their turns, in no particular order."""
        with self._lock:
            return list(self._waiting)
