"""The pool on Ray: one named actor that owns the replicas and the queue of a whole cluster.

Every front end and every command finds it by its name. The actor passes on only references; photos
and results travel directly between front ends and replicas, and only once.
"""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError, TaskCancelledError

from enhance.engines.queue import PhotoQueue
from enhance.engines.ray_replica import Deployment, Replica, remote
from enhance.errors import OptionsError, PoolGone, ReplicaLost
from enhance.options import Options
from enhance.records import EngineInfo, Source

log = logging.getLogger(__name__)

_NAME = "enhance"  # of the actor, and of the namespace that it is in
_HEAD = "node:__internal_head__"  # a resource that the head node of every cluster has
_PAUSE = 1.0  # seconds between two looks at the load
_PATIENCE = 3  # so many looks in a row must find photos waiting and no replica free


@dataclass(eq=False)
class _Member:
    """A replica of the pool. since: when it was last given a photo, or had finished one."""

    actor: Any
    state: Literal["starting", "free", "at work"] = "starting"
    since: float = field(default_factory=time.monotonic)


class Pool:
    """Gives every photo to a free replica, in the order of `PhotoQueue`; grows and shrinks.

    It gains a replica when for three seconds on end photos waited and no replica was free or
    starting, and loses the newest when that has been idle for long. A replica that dies is
    restarted by Ray, and so is the pool itself, with the same deployment and an empty queue.
    """

    def __init__(self, deployment: Deployment) -> None:
        """Runs, like all methods, in the actor's event loop."""
        self._deployment = deployment
        self._members: list[_Member] = []
        self._queue: PhotoQueue[asyncio.Future[_Member]] = PhotoQueue(deployment.most)
        self._tasks: set[asyncio.Task[None]] = set()
        for _ in range(deployment.least):
            self._add()
        self._spawn(self._scale())

    async def deployment(self) -> Deployment:
        """What the pool is made of."""
        return self._deployment

    async def load(self) -> EngineInfo:
        """See `Engine.load`. Returns as soon as one replica is free."""
        async with self._free_member("", first=True) as member:
            try:
                return await member.actor.load.remote()
            except RayTaskError as error:
                raise error.cause from error

    async def enhance(
        self,
        client: str,
        first: bool,
        yields: bool,
        data: list[Any],
        task: tuple[Source, Options, bool],
    ) -> tuple[list[Any], EngineInfo | None, int]:
        """Have a photo enhanced when its turn comes; cancelling it removes it from the queue or
        stops the replica.

        client, first, yields: see `PhotoQueue.put`. data: a list with the reference to the file's
        bytes.

        Returns a list with the reference to the record, `Engine.info` and `Engine.running`. Raises
        ReplicaLost if the replica was.
        """
        async with self._free_member(client, first=first, yields=yields) as member:
            asked, record = member.actor.enhance.options(num_returns=2).remote(*data, *task)
            try:
                info = await asked
            except (asyncio.CancelledError, TaskCancelledError):  # Ray may cancel the replica first
                ray.cancel(asked)
                raise
            except RayTaskError as error:
                raise error.cause from error
            except RayError as error:
                log.warning("a replica was lost: %s", error)
                member.state = "starting"
                self._spawn(self._start(member))
                raise ReplicaLost("The replica was lost.") from error
        running = sum(member.state != "starting" for member in self._members)
        return [record], info, max(1, running)

    async def status(self) -> list[str]:
        """What people ask about the pool: its settings, its replicas, its queue; a line each."""
        has, setup = self._deployment, self._deployment.setup
        waiting = [turn.yields for turn, taken in self._queue.waiting if not taken.done()]
        people, folders = waiting.count(False), waiting.count(True)
        return [
            f"{has.least} to {has.most} replicas of {has.cpus} CPUs and {has.gpus:.2g} GPUs; "
            f"device {setup.device}, precision {setup.precision}, "
            f"weights {setup.weights or 'bundled or downloaded'}",
            f"replicas: {', '.join(member.state for member in self._members)}",
            f"photos waiting: {people} of people, {folders} of folder runs",
        ]

    @asynccontextmanager
    async def _free_member(
        self, client: str, *, first: bool, yields: bool = False
    ) -> AsyncIterator[_Member]:
        """Wait for a replica that is free when the turn comes; it is at work for the block."""
        taken: asyncio.Future[_Member] = asyncio.get_running_loop().create_future()
        self._queue.put(taken, client, first=first, yields=yields)
        self._feed()
        try:
            yield await taken
        finally:
            # It may have been given at the moment of a cancel, or be starting again.
            if not taken.cancelled() and (member := taken.result()).state == "at work":
                self._free(member)

    def _feed(self) -> None:
        """Give free replicas to waiting photos, the oldest replica first, so that the newest ones
        fall idle and can be removed."""
        free = [member for member in self._members if member.state == "free"]
        while free and self._queue.waiting:
            taken = self._queue.take()
            if not taken.done():  # nobody has cancelled it
                member = free.pop(0)
                member.state, member.since = "at work", time.monotonic()
                taken.set_result(member)

    def _free(self, member: _Member) -> None:
        member.state, member.since = "free", time.monotonic()
        self._feed()

    def _add(self) -> None:
        has = self._deployment
        kind = remote(num_cpus=has.cpus, num_gpus=has.gpus, max_restarts=-1)(Replica)
        member = _Member(kind.remote(has.load, has.limits))
        self._members.append(member)
        self._spawn(self._start(member))

    async def _start(self, member: _Member) -> None:
        """Wait until the replica, which Ray may just be restarting, has its models. One whose
        models cannot be loaded is given photos all the same: each says why."""
        with suppress(RayTaskError):
            await member.actor.load.remote()
        self._free(member)

    async def _scale(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(_PAUSE)
            least, most = self._deployment.least, self._deployment.most
            waiting = any(not taken.done() for _, taken in self._queue.waiting)
            full = waiting and all(member.state == "at work" for member in self._members)
            looks = looks + 1 if full else 0
            newest = self._members[-1]
            idle = time.monotonic() - newest.since if newest.state == "free" else 0
            if looks >= _PATIENCE and len(self._members) < most:
                self._add()
            elif idle > self._deployment.idle_seconds and len(self._members) > least:
                ray.kill(self._members.pop().actor)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)


def connect(address: str | None = None) -> None:
    """Connect to the cluster that RAY_ADDRESS names, or else to the one on this machine. If there
    is none, start Ray here, unless the address is "auto".

    Raises OptionsError when Ray cannot be reached or started.
    """
    # By default Ray sends usage statistics to its developers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise OptionsError(
            "Ray cannot be reached or started ({reason}). Check RAY_ADDRESS and RAY_TMPDIR.",
            reason=str(error),
        ) from error


def find() -> Any:
    """The pool. Raises PoolGone if there is none."""
    try:
        return ray.get_actor(_NAME, namespace=_NAME)
    except ValueError as error:
        raise _no_pool() from error


def bring_up(deployment: Deployment) -> Any:
    """Start the pool and return it; if another process was quicker, its pool."""
    actor = remote(
        num_cpus=0,
        resources={_HEAD: 0.001},  # other nodes come and go
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=100_000,  # photos that wait, of all front ends
    )(Pool)
    named = actor.options(name=_NAME, namespace=_NAME, lifetime="detached", get_if_exists=True)
    return named.remote(deployment)


def take_down() -> None:
    """End the pool and its replicas. Raises PoolGone if there is none."""
    ray.kill(find())


def result(call: Any) -> Any:
    """What a method of the pool returns. Raises what the method raises, as it was raised there, and
    PoolGone if the pool was taken down."""
    try:
        return ray.get(call)
    except RayTaskError as error:
        raise error.cause from error
    except RayActorError as error:
        raise _no_pool() from error


def _no_pool() -> PoolGone:
    return PoolGone(
        "There is no pool on this Ray cluster, or it was taken down. Start one with "
        "“python -m enhance pool up”."
    )
