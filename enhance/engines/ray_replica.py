"""A replica of the models in the pool on Ray, how many there are, and the resources of each."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray

from enhance.engines.local import LocalEngine
from enhance.errors import OptionsError, UnreadablePhoto
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Failure, Result, Source

_THREADS = 4  # per replica on CPUs: enough for one photo, few enough for many replicas

remote: Any = ray.remote  # its type hints cover only use as a decorator


class Replica:
    """A whole LocalEngine, so results are byte for byte the same as without Ray.

    It is given one photo at a time. Its methods are coroutines, because Ray can cancel only those
    while they run.
    """

    def __init__(self, load: Callable[[], Enhancer], limits: Limits) -> None:
        self._engine = LocalEngine(load, limits)

    @ray.method(max_task_retries=-1)  # also while Ray restarts the replica
    async def load(self) -> EngineInfo:
        """See `Engine.load`."""
        return await asyncio.to_thread(self._engine.load)

    async def enhance(
        self, data: bytes, source: Source, options: Options, viewed: bool
    ) -> tuple[EngineInfo | None, Result | Failure | None]:
        """Enhance one photo, given its file's contents `data`; cancelling it stops the work before
        its next tile.

        Returns `Engine.info`, and the record in a value of its own: whoever waits for the first
        need not fetch the second. Its index is 0. Raises UnreadablePhoto if there is no room for a
        temporary file.
        """
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "photo"
                path.write_bytes(data)
                run = self._engine.run([replace(source, path=path)], options, viewed=viewed)
                with closing(run):
                    record = await asyncio.to_thread(next, run, None)
        except OSError as error:
            raise UnreadablePhoto.because(source.name, error) from error
        return self._engine.info, record


@dataclass(frozen=True)
class Deployment:
    """What a pool is made of; fixed as long as the pool lives.

    load: makes the enhancer, in each replica, from `setup`. least, most: how many replicas there
    are without and with load. cpus, gpus: of each replica; one without a GPU runs one thread per
    CPU. idle_seconds: how long a replica beyond the least may have nothing to do.
    """

    load: Callable[[], Enhancer]
    limits: Limits
    setup: Setup
    least: int
    most: int
    cpus: int
    gpus: float
    idle_seconds: float = 300

    @classmethod
    def for_cluster(
        cls,
        load: Callable[[], Enhancer],
        limits: Limits,
        setup: Setup,
        replicas: tuple[int, int | None],
    ) -> Deployment:
        """The deployment for the cluster that this process is connected to; see `shares`."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        cpus, gpus = ([int(node.get(kind, 0)) for node in nodes] for kind in ("CPU", "GPU"))
        return cls(load, limits, setup, replicas[0], *shares(cpus, sum(gpus), *replicas))


def shares(cpus: Sequence[int], gpus: int, least: int, most: int | None) -> tuple[int, int, float]:
    """The greatest number of replicas, and the CPUs and GPUs of each.

    cpus: CPUs of each node. gpus: how many the cluster has. least, most: how many replicas are
    asked for; most is None for as many as there is room for.

    If there are GPUs, each replica gets one, or shares it if more replicas are asked for.
    Otherwise a fixed number of replicas shares all CPUs, while each of a number that varies gets a
    group of CPUs on one node.

    Raises OptionsError if there are neither CPUs nor GPUs.
    """
    if gpus:
        most = most or gpus
        return most, 1, 1 / -(-most // gpus)
    usable = [*filter(None, cpus)]  # a head node may have no CPUs
    if not usable:
        raise OptionsError(
            "No node of this Ray cluster has CPUs or GPUs for models. Start one, then try again."
        )
    if least == most:
        return most, max(1, min(max(usable), sum(usable) // most)), 0
    group = min([_THREADS, *usable])
    return most or sum(node // group for node in usable), group, 0
