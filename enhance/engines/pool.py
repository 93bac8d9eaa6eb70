"""The pool on Ray: one named actor that owns the replicas and the queue of a whole cluster.

Every front end and every command finds it by its name. The actor only passes on references, so the
photos and results themselves travel between fronts and replicas, once.
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
from enhance.engines.replica import TRIES, Replica, lost
from enhance.options import Options
from enhance.records import EngineInfo, Source

log = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds between two looks at the load, and before another attempt to reach a replica
_PATIENCE = 3.0  # seconds that a photo waits before the pool grows


@dataclass(eq=False)
class _Photo:
    """A photo in the pool, in the order of `turn`.

    data: a list with the reference to the file's bytes. answer: a list with the reference to what
    the replica answers; None if the photo is no longer wanted.
    """

    turn: tuple[bool, bool, int]
    run: str
    task: tuple[Source, Options, bool]
    data: list[Any]
    answer: asyncio.Future[list[Any] | None]
    since: float = field(default_factory=time.monotonic)
    tries: int = 0

    @property
    def number(self) -> int:
        return self.turn[2]


@dataclass(eq=False)
class _Member:
    """A replica of the pool. loaded: the error with which it could not load its models, or None.
    since: when it was started or last had a photo. ending: it goes as soon as its photo is done."""

    actor: Any
    loaded: asyncio.Future[BaseException | None]
    photo: _Photo | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)
    ending: bool = False


class Pool:
    """Gives every photo to a free replica; grows, shrinks and renews the replicas.

    The order: people before folder runs, then the first photo of a run before the others, then by
    arrival. A run keeps only a few photos here, so long runs take turns, and a single photo waits
    for the photo that is at work and for other first photos.
    """

    async def __init__(self) -> None:  # type: ignore[misc]  # Ray runs it in the actor's loop
        self._deployment = Deployment.stored()
        self._members: list[_Member] = []
        self._line: list[_Photo] = []  # in the order of their turns
        self._serial = count()
        self._known: asyncio.Future[EngineInfo | BaseException] = _future()
        self._deploying = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        for _ in range(self._deployment.least):
            self._add()
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
    ) -> list[Any] | None:
        """A list with the reference to the `Answer` about a photo; None if its run was stopped.

        run: any unique name. index: of the photo in its run. yields: it lets people go first. data:
        a list with the reference to the file's bytes.

        Raises ReplicaLost, and what the replica raises.
        """
        turn = (yields, index > 0, next(self._serial))
        photo = _Photo(turn, run, task, data, _future())
        self._queue(photo)
        return await photo.answer

    async def stop(self, run: str) -> None:
        """Remove a run's photos from the queue, and stop those at work before their next tile."""
        waiting = [photo for photo in self._line if photo.run == run]
        self._line = [photo for photo in self._line if photo.run != run]
        for member in self._members:
            if member.photo and member.photo.run == run:
                waiting.append(member.photo)
                member.actor.stop.remote(member.photo.number)
        for photo in waiting:
            _answer(photo, None)

    async def deploy(self, deployment: Deployment) -> None:
        """Renew all replicas one by one, each after its photo; the others go on meanwhile.

        If the models of a new one cannot be loaded, raises what loading raises; the old replicas
        that remain, and the deployment, are kept.
        """
        async with self._deploying:
            before, self._deployment = self._deployment, deployment
            for old in self._staying:
                self._end(old)
                if len(self._staying) >= deployment.most:
                    continue
                new = self._add()
                if error := await asyncio.shield(new.loaded):
                    self._deployment = before
                    self._end(new)
                    raise error
            deployment.store()

    async def status(self) -> dict[str, Any]:
        """The deployment, what each replica does, and how many photos wait: of people, of
        folders."""
        folders = sum(photo.turn[0] for photo in self._line)
        return {
            "deployment": self._deployment.text,
            "replicas": [
                "at work" if member.photo else "free" if member.ready else "starting"
                for member in self._members
            ],
            "waiting": (len(self._line) - folders, folders),
        }

    @property
    def _staying(self) -> list[_Member]:
        return [member for member in self._members if not member.ending]

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)

    def _add(self) -> _Member:
        deployment = self._deployment
        actor = deployment.plan.actor(Replica).remote(deployment.load, deployment.limits)
        member = _Member(actor, _future())
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

        One whose models cannot be loaded is fed all the same: each photo says why.
        """
        while member in self._members:
            try:
                error = await self._learn(member)
            except RayError:
                await asyncio.sleep(_PAUSE)
                continue
            if not member.loaded.done():
                member.loaded.set_result(error)
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

    def _queue(self, photo: _Photo) -> None:
        insort(self._line, photo, key=lambda other: other.turn)
        self._feed()

    def _feed(self) -> None:
        """Give photos to free replicas: always the first ones, so that the last may be removed."""
        for member in self._members:
            if self._line and member.ready and not member.photo:
                member.photo = self._line.pop(0)
                self._spawn(self._work(member, member.photo))

    async def _work(self, member: _Member, photo: _Photo) -> None:
        call = member.actor.enhance.options(num_returns=2)
        done, answer = call.remote(photo.number, *photo.data, *photo.task)
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

    def _retry(self, photo: _Photo) -> None:
        photo.tries += 1
        if photo.tries < TRIES:
            if not photo.answer.done():
                self._queue(photo)
            return
        _answer(photo, lost(photo.task[0].name))

    async def _scale(self) -> None:
        """Grow while photos wait and every replica is at work; shrink when some are idle."""
        while True:
            await asyncio.sleep(_PAUSE)
            now, many = time.monotonic(), len(self._staying)
            waited = max((now - photo.since for photo in self._line), default=0)
            busy = all(member.photo for member in self._members)
            if many < self._deployment.least or (
                busy and waited > _PATIENCE and many < self._deployment.most
            ):
                self._add()
            elif many > self._deployment.least and not self._line:
                last = self._staying[-1]
                if not last.photo and now - last.since > self._deployment.idle_seconds:
                    self._end(last)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _answer(photo: _Photo, answer: list[Any] | BaseException | None) -> None:
    """Answer the front, unless that has been done: a stopped photo may end later."""
    if photo.answer.done():
        return
    if isinstance(answer, BaseException):
        photo.answer.set_exception(answer)
    else:
        photo.answer.set_result(answer)
