"""A pool of resident enhancers on Ray, on this machine or a cluster.

Plain actors rather than Ray Serve: we already have a fair queue and a way to return results, and
Serve's own queue would keep "stop" from reaching the photo it is meant for. Each actor holds a
whole LocalEngine, so the results are identical byte for byte.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Condition, Event, Thread
from typing import Any

# Before ray is imported: by default it sends usage statistics to its developers.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

import numpy as np
import ray
from ray.exceptions import RayError, RayTaskError

from enhance.engines.base import failure
from enhance.engines.local import LocalEngine, LocalRun
from enhance.engines.replicas import Plan
from enhance.errors import EnhanceError, OptionsError, ReplicaLost
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import read
from enhance.pipeline import Enhancer
from enhance.records import EngineInfo, Failure, Result, Source

log = logging.getLogger(__name__)

_TRIES = 3  # a photo whose replica was lost is given to another one, at most twice
_PAUSE = 1.0  # seconds before another attempt to start a replica

Answer = tuple[Result | Failure, "np.ndarray[Any, Any]", "np.ndarray[Any, Any] | None"]
"""A record without its bytes, then the bytes of the result and of its layers. Those are arrays
because Ray does not copy arrays into its messages."""


class Replica:
    """A resident enhancer in its own process, somewhere in the cluster."""

    def __init__(self, load: Callable[[], Enhancer], limits: Limits) -> None:
        self._engine = LocalEngine(load, limits)
        self._at_work: tuple[int, LocalRun] | None = None
        self._stopped: int | None = None

    def load(self) -> EngineInfo:
        """See `Engine.load`."""
        return self._engine.load()

    def enhance(
        self, task: int, data: bytes, source: Source, options: Options, viewed: bool
    ) -> Answer | None:
        """Enhance one photo, given its file's contents `data`; None if it was stopped."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "photo"
            path.write_bytes(data)
            run = self._engine.run([replace(source, path=path)], options, viewed=viewed)
            self._at_work = task, run
            if self._stopped == task:  # `stop` was called before the work began
                run.close()
            record = next(run, None)
            self._at_work = None
        if record is None:
            return None
        if isinstance(record, Failure):
            return record, _array(b""), None
        held = _array(record.layers) if record.layers else None
        return replace(record, data=b"", layers=None), _array(record.data), held

    def stop(self, task: int) -> None:
        """Stop the work on a photo before its next tile."""
        self._stopped = task
        at_work = self._at_work
        if at_work and at_work[0] == task:
            at_work[1].close()


@dataclass(eq=False)
class _Task:
    """A photo in the pool. data: the bytes of its file, in Ray's object store."""

    number: int
    run: RayRun
    index: int
    source: Source
    data: ray.ObjectRef[bytes]
    tries: int = 0


class RayEngine:
    """Photos of all runs wait in one queue; whichever replica is free takes the next one.

    A run keeps one photo more in the pool than there are replicas. This keeps every replica busy
    while a run that starts later does not wait long.
    """

    def __init__(
        self, load: Callable[[], Enhancer], limits: Limits, replicas: int | None = None
    ) -> None:
        """Connect to the cluster that RAY_ADDRESS names, or start Ray on this machine.

        load: makes the enhancer, in each replica. replicas: how many; None for as many as there is
        room for, see `Plan`.

        Raises OptionsError when Ray cannot be reached or started.
        """
        self._load_enhancer = load
        self._limits = limits
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            try:
                ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise OptionsError(
                    say(
                        "Ray cannot be reached or started ({reason}). Check RAY_ADDRESS.",
                        reason=str(error),
                    )
                ) from error
        self._plan = Plan.of_cluster(replicas)
        self._changed = Condition()
        self._line: deque[_Task] = deque()
        self._at_work: dict[_Task, Any] = {}  # the actor that works on each task
        self._actors: set[Any] = set()
        self._threads: list[Thread] = []
        self._info: EngineInfo | None = None
        self._load_error: BaseException | None = None
        self._serial = 0
        self._closed = False

    @property
    def replicas(self) -> int:
        """See `Engine.replicas`."""
        return self._plan.replicas

    @property
    def info(self) -> EngineInfo | None:
        """See `Engine.info`."""
        return self._info

    def run(self, sources: Iterable[Source], options: Options, *, viewed: bool = False) -> RayRun:
        """See `Engine.run`. The records come in the order in which they are finished."""
        return RayRun(self, sources, options, viewed=viewed)

    def load(self) -> EngineInfo:
        """See `Engine.load`. Returns as soon as one replica is ready."""
        self._start()
        with self._changed:
            self._changed.wait_for(lambda: self._info or self._load_error or self._closed)
            if self._info is None:
                raise self._load_error or RuntimeError("the engine is closed")
            return self._info

    def close(self) -> None:
        """See `Engine.close`."""
        with self._changed:
            self._closed = True
            for task in (*self._line, *self._at_work):
                task.run.deliver(None)
            self._line.clear()
            actors = list(self._actors)
            self._changed.notify_all()
        for actor in actors:
            ray.kill(actor)
        for thread in self._threads:
            thread.join()
        if self._started_ray:
            ray.shutdown()

    def _start(self) -> None:
        with self._changed:
            if self._threads or self._closed:
                return
            self._threads = [
                Thread(target=self._serve, name=f"replica-{number}", daemon=True)
                for number in range(self.replicas)
            ]
        for thread in self._threads:
            thread.start()

    def _submit(self, run: RayRun, index: int, source: Source) -> None:
        data = ray.put(read(source, self._limits))
        self._start()
        with self._changed:
            if self._closed:
                return
            self._serial += 1
            self._line.append(_Task(self._serial, run, index, source, data))
            self._changed.notify()

    def _drop(self, run: RayRun) -> None:
        """Remove a run's photos from the queue, and stop those in progress."""
        with self._changed:
            self._line = deque(task for task in self._line if task.run is not run)
            at_work = [(t, actor) for t, actor in self._at_work.items() if t.run is run]
        for task, actor in at_work:
            actor.stop.remote(task.number)

    def _serve(self) -> None:
        """The thread of one replica: keep an actor alive and give it photo after photo."""
        while (actor := self._healthy()) is not None:
            while (task := self._next(actor)) is not None:
                try:
                    answer = ray.get(
                        actor.enhance.remote(
                            task.number,
                            task.data,
                            replace(task.source, path=Path()),
                            task.run.options,
                            task.run.viewed,
                        )
                    )
                    if self._info is None and answer and isinstance(answer[0], Result):
                        self._info = ray.get(actor.load.remote())  # loaded at a later attempt
                except RayTaskError as error:
                    self._done(task, failure(task.index, task.source.name, error.cause))
                except RayError as error:
                    if not self._closed:
                        log.warning("a replica was lost: %s", error)
                    self._retry(task)
                    break
                else:
                    self._done(task, _record(task, answer))
            with self._changed:
                self._actors.discard(actor)

    def _healthy(self) -> Any:
        """A new actor with its models loaded; None if the engine is closed.

        An actor whose models cannot be loaded is returned all the same: each photo says why.
        """
        while True:
            with self._changed:
                if self._closed:
                    return None
                actor = self._plan.actor(Replica).remote(self._load_enhancer, self._limits)
                self._actors.add(actor)
            try:
                info, error = ray.get(actor.load.remote()), None
            except RayTaskError as caught:
                info, error = None, caught.cause
            except RayError:
                if not self._closed:
                    log.exception("a replica could not be started; it is tried again")
                with self._changed:
                    self._actors.discard(actor)
                time.sleep(_PAUSE)
                continue
            with self._changed:
                self._info, self._load_error = self._info or info, error
                self._changed.notify_all()
            return actor

    def _next(self, actor: Any) -> _Task | None:
        with self._changed:
            self._changed.wait_for(lambda: self._line or self._closed)
            if self._closed:
                return None
            task = self._line.popleft()
            self._at_work[task] = actor
            return task

    def _retry(self, task: _Task) -> None:
        task.tries += 1
        if task.tries == _TRIES:
            sentence = say(
                "“{name}” could not be enhanced: the process working on it died "
                "{tries} times, perhaps for lack of memory. Choose a smaller upscale "
                "or send a smaller photo.",
                name=task.source.name,
                tries=_TRIES,
            )
            self._done(task, failure(task.index, task.source.name, ReplicaLost(sentence)))
            return
        with self._changed:
            del self._at_work[task]
            if not task.run.closed:
                self._line.appendleft(task)
                self._changed.notify()

    def _done(self, task: _Task, record: Result | Failure | None) -> None:
        with self._changed:
            del self._at_work[task]
        task.run.deliver(record)


class RayRun:
    """One batch on a RayEngine; see `Run`."""

    def __init__(
        self, engine: RayEngine, sources: Iterable[Source], options: Options, *, viewed: bool
    ) -> None:
        self.options = options
        self.viewed = viewed
        self._engine = engine
        self._sources = enumerate(sources)
        self._in_pool = 0
        self._finished: SimpleQueue[Result | Failure | None] = SimpleQueue()
        self._stop = Event()

    def __iter__(self) -> Iterator[Result | Failure]:
        return self

    def __next__(self) -> Result | Failure:
        while self._in_pool <= self._engine.replicas and not self.closed:
            index, source = next(self._sources, (0, None))
            if source is None:
                break
            self._in_pool += 1
            try:
                self._engine._submit(self, index, source)
            except EnhanceError as error:
                self.deliver(failure(index, source.name, error))
        record = self._finished.get() if self._in_pool and not self.closed else None
        if record is None or self.closed:
            self.close()
            raise StopIteration
        self._in_pool -= 1
        return record

    @property
    def closed(self) -> bool:
        """Whether nobody is waiting for further records."""
        return self._stop.is_set() or self._engine._closed

    def close(self) -> None:
        """See `Run.close`."""
        self._stop.set()
        self._engine._drop(self)
        self.deliver(None)

    def deliver(self, record: Result | Failure | None) -> None:
        """Accept a finished record; None ends the run."""
        self._finished.put(record)


def _array(data: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, np.uint8)


def _record(task: _Task, answer: Answer | None) -> Result | Failure | None:
    if answer is None:
        return None
    record, data, layers = answer
    if isinstance(record, Failure):
        return replace(record, index=task.index)
    held = None if layers is None else layers.tobytes()
    return replace(record, index=task.index, data=data.tobytes(), layers=held)
