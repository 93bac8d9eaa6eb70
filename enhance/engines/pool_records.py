"""What waits in the pool on Ray, in which order, and what front ends hear of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from enhance.options import Options
from enhance.records import Source


@dataclass(frozen=True)
class PoolStatus:
    """What people ask about the pool.

    deployment: its settings. replicas: what each does. people, folders: how many of their photos
    wait.
    """

    deployment: str
    replicas: list[str]
    people: int
    folders: int


class Answered(NamedTuple):
    """What a front end receives for a photo.

    answer: a list with the reference to the replica's `Answer`; None if the run was stopped.
    running, most: how many replicas there are now, and how many there may be.
    """

    answer: list[Any] | None
    running: int
    most: int


class Turn(NamedTuple):
    """The order in which photos are taken: the smallest first."""

    yields: bool
    later: bool  # not the first photo of its run
    number: int


@dataclass(eq=False)
class WaitingPhoto:
    """A photo in the pool, in the order of `turn`.

    data: a list with the reference to the file's bytes. answer: a list with the reference to what
    the replica answers; None if the photo is no longer wanted.
    """

    turn: Turn
    run: str
    task: tuple[Source, Options, bool]
    data: list[Any]
    answer: asyncio.Future[list[Any] | None]
    since: float = field(default_factory=time.monotonic)
    tries: int = 0
