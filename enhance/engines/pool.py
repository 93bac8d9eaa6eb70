"""The pool on Ray: one named actor that owns the replicas and the queue of a whole cluster.

Every front end and every command finds it by its name. The actor passes on only references; photos
and results travel directly between front ends and replicas, and only once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import insort
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError

from enhance.engines.deployment import Deployment
from enhance.engines.pool_records import Answered, PoolStatus, Turn, WaitingPhoto
from enhance.engines.replica import TRIES, Replica, lost
from enhance.options import Options
from enhance.records import EngineInfo, Source

log = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds between two looks at the load, and before another attempt to reach a replica
_PATIENCE = 3.0  # seconds that a photo waits before the pool grows


@dataclass(eq=False)
class _Member:
    """A replica of the pool. loaded: the error with which it could not load its models, or None.
    on_trial: it gets no photos unless its models can be loaded. since: when it was started or last
    had a photo. ending: it goes as soon as its photo is done."""

    actor: Any
    loaded: asyncio.Future[BaseException | None]
    on_trial: bool
    photo: WaitingPhoto | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)
    ending: bool = False


class Pool:
    """Gives every photo to a free replica; grows, shrinks and renews the replicas.

    The order: people before folder runs, then the first photo of a run before the others, then by
    arrival. A run keeps only a few photos here, so long runs take turns, and a single photo waits
    only for the photo in progress and for other runs' first photos.
    """

    async def __init__(self) -> None:  # type: ignore[misc]  # Ray runs it in the actor's loop
        self._deployment = Deployment.stored()
        self._members: list[_Member] = []
        self._queue: list[WaitingPhoto] = []  # in the order of their turns
        self._serial = count()
        self._known: asyncio.Future[EngineInfo | BaseException] = _future()
        self._deploying = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        for _ in range(self._deployment.least):
            self._add(self._deployment)
        self._spawn(self._scale())

    async def load(self) -> EngineInfo:
        """See `Engine.load`. Returns as soon as one replica is ready."""
        found = await asyncio.shield(self._known)
        if isinstance(found, BaseException):
            raise found
        return found

    async def enhance(
        self,
        run: str,
        index: int,
        yields: bool,
        data: list[Any],
        task: tuple[Source, Options, bool],
    ) -> Answered:
        """Have a photo enhanced, when its turn comes.

        run: any unique name. index: of the photo in its run. yields: people's photos go before it.
        data: a list with the reference to the file's bytes.

        Raises ReplicaLost, and what the replica raises.
        """
        turn = Turn(yields, index > 0, next(self._serial))
        photo = WaitingPhoto(turn, run, task, data, _future())
        self._enqueue(photo)
        answer = await photo.answer
        ready = sum(member.ready for member in self._members)
        return Answered(answer, max(1, ready), self._deployment.most)

    async def stop(self, run: str) -> None:
        """Remove a run's photos from the queue, and stop those at work before their next tile."""
        waiting = [photo for photo in self._queue if photo.run == run]
        self._queue = [photo for photo in self._queue if photo.run != run]
        for member in self._members:
            if member.photo and member.photo.run == run:
                waiting.append(member.photo)
                member.actor.stop.remote(member.photo.turn.number)
        for photo in waiting:
            _answer(photo, None)

    async def deploy(self, deployment: Deployment) -> None:
        """Renew all replicas one by one, each after its photo; the others go on meanwhile.

        Where the cluster has room, a new one is loaded before the old one goes. If the models of
        the first new one cannot be loaded, raises what loading raises; the deployment is kept, and
        so are the old replicas, of which one may have been started again.
        """
        async with self._deploying:
            old = self._staying
            for member in old[: deployment.most]:
                roomy = deployment.plan.fits()
                if not roomy:
                    self._end(member)
                new = self._add(deployment, on_trial=True)
                if error := await asyncio.shield(new.loaded):
                    self._end(new)
                    raise error
                self._adopt(deployment)
                if roomy:
                    self._end(member)
            for member in old[deployment.most :]:
                self._end(member)
            self._adopt(deployment)

    async def status(self) -> PoolStatus:
        """See `PoolStatus`."""
        folders = sum(photo.turn.yields for photo in self._queue)
        replicas = [
            "at work" if member.photo else "free" if member.ready else "starting"
            for member in self._members
        ]
        return PoolStatus(self._deployment.text, replicas, len(self._queue) - folders, folders)

    @property
    def _staying(self) -> list[_Member]:
        return [member for member in self._members if not member.ending]

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)

    def _adopt(self, deployment: Deployment) -> None:
        self._deployment = deployment
        deployment.store()

    def _add(self, deployment: Deployment, *, on_trial: bool = False) -> _Member:
        actor = deployment.plan.actor(Replica).remote(deployment.load, deployment.limits)
        member = _Member(actor, _future(), on_trial)
        self._members.append(member)
        self._spawn(self._start(member))
        return member

    def _end(self, member: _Member) -> None:
        """Remove a replica now, or after its photo."""
        member.ending = True
        if member.photo is None:
            if member in self._members:
                self._members.remove(member)
            ray.kill(member.actor)

    async def _start(self, member: _Member) -> None:
        """Wait until the replica, which Ray may just be restarting, has its models.

        One whose models cannot be loaded is fed all the same, unless it is on trial: each photo
        says why.
        """
        while member in self._members:
            try:
                error = await self._learn(member)
            except RayError:
                await asyncio.sleep(_PAUSE)
                continue
            if not member.loaded.done():
                member.loaded.set_result(error)
            if not (error and member.on_trial):
                self._free(member)
            return

    async def _learn(self, member: _Member) -> BaseException | None:
        """Remember what a replica says of its models; returns the error if it has none.

        Raises RayError if the replica is lost.
        """
        try:
            found: EngineInfo | BaseException = await member.actor.load.remote()
        except RayTaskError as error:
            found = error.cause
        failed = isinstance(found, BaseException)
        if not (failed and self._known.done()):
            if self._known.done():
                self._known = _future()
            self._known.set_result(found)
        return found if isinstance(found, BaseException) else None

    def _free(self, member: _Member) -> None:
        member.photo, member.ready, member.since = None, True, time.monotonic()
        if member.ending:
            self._end(member)
        self._feed()

    def _enqueue(self, photo: WaitingPhoto) -> None:
        insort(self._queue, photo, key=lambda other: other.turn)
        self._feed()

    def _feed(self) -> None:
        """Give waiting photos to free replicas, the oldest replica first, so that the newest ones
        fall idle and can be removed."""
        for member in self._members:
            if self._queue and member.ready and not member.photo:
                member.photo = self._queue.pop(0)
                self._spawn(self._work(member, member.photo))

    async def _work(self, member: _Member, photo: WaitingPhoto) -> None:
        call = member.actor.enhance.options(num_returns=2)
        done, answer = call.remote(photo.turn.number, *photo.data, *photo.task)
        try:
            if await done and isinstance(self._known.result(), BaseException):
                await self._learn(member)  # its models were loaded at a later attempt
            _answer(photo, [answer])
        except RayTaskError as error:
            _answer(photo, error.cause)
        except RayError as error:
            log.warning("a replica was lost: %s", error)
            member.photo, member.ready = None, False
            self._retry(photo)
            if member.ending:
                self._end(member)
            else:
                self._spawn(self._start(member))  # Ray restarts it where there is room
            return
        self._free(member)

    def _retry(self, photo: WaitingPhoto) -> None:
        photo.tries += 1
        if photo.tries < TRIES:
            if not photo.answer.done():
                self._enqueue(photo)
            return
        _answer(photo, lost(photo.task[0].name))

    async def _scale(self) -> None:
        """Grow while photos wait and every replica is at work; shrink when some are idle."""
        while True:
            await asyncio.sleep(_PAUSE)
            now, many = time.monotonic(), len(self._staying)
            waited = max((now - photo.since for photo in self._queue), default=0)
            busy = all(member.photo for member in self._members)
            if many < self._deployment.least or (
                busy and waited > _PATIENCE and many < self._deployment.most
            ):
                self._add(self._deployment)
            elif many > self._deployment.least and not self._queue:
                last = self._staying[-1]
                idle = last.ready and not last.photo
                if idle and now - last.since > self._deployment.idle_seconds:
                    self._end(last)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _answer(photo: WaitingPhoto, answer: list[Any] | BaseException | None) -> None:
    """Answer the front, unless that has been done: a stopped photo may end later."""
    if photo.answer.done():
        return
    if isinstance(answer, BaseException):
        photo.answer.set_exception(answer)
    else:
        photo.answer.set_result(answer)
