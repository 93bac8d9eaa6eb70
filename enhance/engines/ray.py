"""The engine that works through the pool on Ray: one pool for all front ends of a cluster."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayError, RayTaskError, TaskCancelledError

from enhance.engines.base import Run, failure
from enhance.engines.ray_pool import bring_up, connect, find, result
from enhance.engines.ray_replica import Deployment
from enhance.errors import EnhanceError, OptionsError, PoolGone, ReplicaLost
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.photos import read
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Failure, Result, Source

log = logging.getLogger(__name__)

_TRIES = 3  # a photo whose replica was lost is given to another one, at most twice


class RayEngine:
    """A front end's connection to the pool. A run keeps one photo more in it than there may be
    replicas: that keeps all of them at work, and a run that starts later does not wait long."""

    def __init__(
        self,
        load: Callable[[], Enhancer],
        limits: Limits,
        setup: Setup | None = None,
        replicas: tuple[int, int | None] = (1, None),
        *,
        yields: bool = False,
    ) -> None:
        """Find the cluster's pool or, where there is none, bring it up.

        load, limits, setup, replicas (least and most): see `Deployment`; a pool that is there
        already keeps its own. yields: let the photos of others go first.

        Raises OptionsError when Ray cannot be reached or started, or when its pool was brought up
        with another setup than this one.
        """
        self.limits = limits
        self.yields = yields
        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            connect()
        try:
            pool = find()
        except PoolGone:
            pool = bring_up(Deployment.for_cluster(load, limits, setup or Setup(), replicas))
        there: Deployment = result(pool.deployment.remote())
        if setup and differs(setup, there.setup):
            raise OptionsError(
                "The pool on this Ray cluster runs with other settings ({settings}). Leave "
                "out device, precision and weights, or take it down with “python -m enhance "
                "pool down” and bring it up with these.",
                settings=", ".join(map(str, filter(None, vars(there.setup).values()))),
            )
        self.replicas = there.most
        self.running = there.least  # from then on, as the pool's last answer said
        self.info: EngineInfo | None = None
        self.runs: set[_RayRun] = set()
        """Those that are not over."""

    def run(
        self, sources: Iterable[Source], options: Options, *, viewed: bool = False, client: str = ""
    ) -> Run:
        """See `Engine.run`. The records come in the order in which they are finished."""
        run = _RayRun(self, enumerate(sources), options, viewed, client or uuid4().hex)
        self.runs.add(run)
        return Run(run.records(), run.close)

    def load(self) -> EngineInfo:
        """See `Engine.load`. Returns as soon as one replica is ready."""
        info: EngineInfo = result(find().load.remote())
        self.info = info
        return info

    def close(self) -> None:
        """See `Engine.close`. The pool goes on, unless it is this process that started Ray."""
        for run in list(self.runs):
            run.close()
            with run.at_work:  # Ray ends a process that asks it for something after its shutdown
                pass
        if self._started_ray:
            ray.shutdown()


@dataclass
class _Asked:
    """A photo that the pool was asked for. data: the reference to its file's bytes."""

    index: int
    source: Source
    data: Any
    tries: int = 1


@dataclass(eq=False)
class _RayRun:
    """One batch on the pool; see `Run`. at_work: held while a caller waits for a record. asked: by
    the reference to the answer."""

    engine: RayEngine
    sources: Iterator[tuple[int, Source]]
    options: Options
    viewed: bool
    client: str
    asked: dict[Any, _Asked] = field(default_factory=dict)
    closed: bool = False
    at_work: Lock = field(default_factory=Lock)

    def records(self) -> Iterator[Result | Failure]:
        """The records of a `Run`."""
        while True:
            with self.at_work:
                record = self._next()
            if record is None or self.closed:
                self.close()
                return
            yield record

    def close(self) -> None:
        """See `Run.close`."""
        self.engine.runs.discard(self)
        if not self.closed:
            self.closed = True
            # The last first: a replica that becomes free must not begin one that will be cancelled.
            for reference in reversed([*self.asked]):
                ray.cancel(reference)

    def _next(self) -> Result | Failure | None:
        """The next record; None if there is none."""
        while len(self.asked) <= self.engine.replicas and not self.closed:
            index, source = next(self.sources, (0, None))
            if source is None:
                break
            try:
                data = ray.put(read(source, self.engine.limits))
                self._ask(_Asked(index, replace(source, path=Path()), data))
            except EnhanceError as error:
                return failure(index, source.name, error)
        while self.asked and not self.closed:
            for reference in ray.wait([*self.asked])[0]:
                if record := self._record(self.asked.pop(reference), reference):
                    return record
        return None

    def _ask(self, asked: _Asked) -> None:
        """Ask the pool for a photo; one that was lost need not wait for others of the client.

        Raises PoolGone."""
        first = asked.index == 0 or asked.tries > 1
        task = asked.source, self.options, self.viewed
        ask = find().enhance.remote
        reference = ask(self.client, first, self.engine.yields, [asked.data], task)
        self.asked[reference] = asked
        if self.closed:  # meanwhile, so that `close` may have missed it
            ray.cancel(reference)

    def _record(self, asked: _Asked, reference: Any) -> Result | Failure | None:
        """What was answered; None if the pool is asked again, or the run was closed."""
        engine, name = self.engine, asked.source.name
        try:
            answer, info, engine.running = ray.get(reference)
            engine.info = info or engine.info
            record: Result | Failure = ray.get(answer[0])
            return replace(record, index=asked.index)
        except TaskCancelledError:
            return None
        except RayTaskError as error:
            if not isinstance(error.cause, ReplicaLost):
                return failure(asked.index, name, error.cause)
        except RayError as error:  # the record was lost with its node, or the pool was taken down
            log.warning("a record was lost: %s", error)
        try:
            if asked.tries == _TRIES:
                raise ReplicaLost(
                    "“{name}” could not be enhanced: the process or the Ray node working on it "
                    "was lost {tries} times, perhaps for lack of memory. Choose a smaller size "
                    "or send a smaller photo; if other photos fail too, check the cluster's "
                    "nodes.",
                    name=name,
                    tries=_TRIES,
                )
            self._ask(replace(asked, tries=asked.tries + 1))
        except EnhanceError as error:
            return failure(asked.index, name, error)
        return None


def differs(wanted: Setup, there: Setup) -> bool:
    """Whether `wanted` sets anything, beyond the defaults, that the running pool does not have."""
    usual, have = vars(Setup()), vars(there)
    return any(value not in (usual[name], have[name]) for name, value in vars(wanted).items())
