"""The engine that works through the pool on Ray: one pool for all front ends of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock, RLock
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError, RayTaskError

from enhance.engines.base import failure
from enhance.engines.cluster import bring_up, connect, deployment_for, find, result
from enhance.engines.deployment import Deployment
from enhance.engines.pool_records import Answered
from enhance.engines.replica import TRIES, whole
from enhance.errors import EnhanceError, OptionsError, PoolGone, ReplicaLost
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.photos import read
from enhance.pipeline import Enhancer
from enhance.records import EngineInfo, Failure, Result, Source

_LOOK = 1.0  # seconds after which a waiting run looks whether it was closed


class RayEngine:
    """A front end's connection to the pool. A run keeps one photo more in it than there may be
    replicas: that keeps all of them at work, and a run that starts later does not wait long."""

    def __init__(
        self,
        load: Callable[[], Enhancer],
        limits: Limits,
        most: int | None = None,
        *,
        least: int | None = None,
        idle_seconds: float = 300,
        setup: Setup | None = None,
        yields: bool = False,
    ) -> None:
        """Find the cluster's pool or, where there is none, bring it up.

        load, limits, setup, least, most, idle_seconds: see `deployment_for`; a pool that is there
        already keeps its own. yields: let the photos of others go first.

        Raises OptionsError when Ray cannot be reached or started, or when its pool was brought up
        with another setup than this one.
        """
        self._limits = limits
        self._yields = yields
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            connect()
        try:
            self._pool = find()
            deployment = Deployment.stored()
        except PoolGone:
            wanted = deployment_for(load, limits, setup or Setup(), least, most, idle_seconds)
            self._pool = bring_up(wanted)
            deployment = Deployment.stored()  # another front end may have been quicker
        if setup and differs(setup, deployment.setup):
            raise OptionsError(
                say(
                    "The pool on this Ray cluster runs with other settings ({settings}). Leave "
                    "out device, precision and weights, or change the pool's with "
                    "“python -m enhance pool up”.",
                    settings=", ".join(map(str, filter(None, vars(deployment.setup).values()))),
                )
            )
        self._most = deployment.most
        self._running = deployment.least
        self._info: EngineInfo | None = None
        self._runs: set[RayRun] = set()
        self._closed = False

    @property
    def replicas(self) -> int:
        """See `Engine.replicas`: the most that the pool may have."""
        return self._most

    @property
    def running(self) -> int:
        """See `Engine.running`: as the pool's last answer said."""
        return self._running

    @property
    def info(self) -> EngineInfo | None:
        """See `Engine.info`."""
        return self._info

    def run(self, sources: Iterable[Source], options: Options, *, viewed: bool = False) -> RayRun:
        """See `Engine.run`. The records come in the order in which they are finished."""
        return RayRun(self, sources, options, viewed=viewed)

    def load(self) -> EngineInfo:
        """See `Engine.load`. Returns as soon as one replica is ready."""
        info: EngineInfo = result(self._pool.load.remote())
        self._info = info
        return info

    def close(self) -> None:
        """See `Engine.close`. The pool goes on, unless it is this process that started Ray."""
        self._closed = True
        for run in list(self._runs):
            run.close()
            with run.at_work:
                pass
        if self._started_ray:
            ray.shutdown()


def differs(wanted: Setup, there: Setup) -> bool:
    """Whether something was asked for, rather than left as it is by default, that is not there."""
    usual, have = vars(Setup()), vars(there)
    return any(value not in (usual[name], have[name]) for name, value in vars(wanted).items())


@dataclass(frozen=True)
class _Asked:
    """A photo that the pool was asked for. data: its file's bytes, in Ray's object store."""

    index: int
    source: Source
    data: ray.ObjectRef[bytes]
    tries: int = 1


class RayRun:
    """One batch on a RayEngine; see `Run`."""

    def __init__(
        self, engine: RayEngine, sources: Iterable[Source], options: Options, *, viewed: bool
    ) -> None:
        self.at_work = Lock()  # held within `next`
        self._engine = engine
        self._sources = enumerate(sources)
        self._options = options
        self._viewed = viewed
        self._name = uuid4().hex
        self._asked: dict[Any, _Asked] = {}  # by the reference to what the pool will answer
        self._asking = RLock()  # reentrant: `close` is also called by signal handlers
        self._stop = Event()
        engine._runs.add(self)

    def __iter__(self) -> Iterator[Result | Failure]:
        return self

    def __next__(self) -> Result | Failure:
        with self.at_work:
            record = self._next()
        if record is None or self.closed:
            self.close()
            raise StopIteration
        return record

    @property
    def closed(self) -> bool:
        """Whether nobody is waiting for further records."""
        return self._stop.is_set() or self._engine._closed

    def close(self) -> None:
        """See `Run.close`."""
        self._engine._runs.discard(self)
        with self._asking:
            if not self._stop.is_set() and self._asked:
                self._engine._pool.stop.remote(self._name)
            self._stop.set()

    def _next(self) -> Result | Failure | None:
        """The next record; None if there is none."""
        while len(self._asked) <= self._engine.replicas and not self.closed:
            index, source = next(self._sources, (0, None))
            if source is None:
                break
            try:
                data = ray.put(read(source, self._engine._limits))
            except EnhanceError as error:
                return failure(index, source.name, error)
            self._ask(_Asked(index, replace(source, path=Path()), data))
        while self._asked and not self.closed:
            for reference in ray.wait([*self._asked], timeout=_LOOK)[0]:
                asked = self._asked.pop(reference)
                if record := self._record(asked, reference):
                    return record
        return None

    def _ask(self, asked: _Asked) -> None:
        engine, task = self._engine, (asked.source, self._options, self._viewed)
        with self._asking:  # or a stop could overtake it
            if not self.closed:
                reference = engine._pool.enhance.remote(
                    self._name, asked.index, engine._yields, [asked.data], task
                )
                self._asked[reference] = asked

    def _record(self, asked: _Asked, reference: Any) -> Result | Failure | None:
        """What was answered; None if the pool is asked again, or the run was stopped."""
        index, name = asked.index, asked.source.name
        try:
            answered: Answered = ray.get(reference)
            self._engine._running, self._engine._most = answered.running, answered.most
            found = answered.answer and ray.get(answered.answer[0])
            if found and self._engine._info is None and isinstance(found[0], Result):
                self._engine.load()
        except RayTaskError as error:
            return failure(index, name, error.cause)
        except RayError:  # the answer was lost with its node, or the pool was taken down
            try:
                self._engine._pool = find()
            except PoolGone as error:
                return failure(index, name, error)
            if asked.tries == TRIES:
                sentence = say(
                    "“{name}” could not be enhanced: the Ray cluster lost its result {tries} "
                    "times. Check the cluster's nodes, then try again.",
                    name=name,
                    tries=TRIES,
                )
                return failure(index, name, ReplicaLost(sentence))
            self._ask(replace(asked, tries=asked.tries + 1))
            return None
        return whole(found, index) if found else None
