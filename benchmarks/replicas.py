"""Two small models instead of one large one: throughput of replicas on the same cores.

    python -m benchmarks.replicas [--json FILE] [--plot FILE] [--quick]

The same photos through Ray with one replica of one thread, with two of them, and through the local
engine with two threads; one after another, several times, in one run. The ratio is to one replica.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import ray
import torch

from benchmarks.serving import portraits
from benchmarks.tables import Table, arguments, show
from enhance.build import load_enhancer
from enhance.engines.base import Engine
from enhance.engines.local import LocalEngine
from enhance.engines.ray import RayEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.records import Result, Source

OPTIONS = Options(restorer="bundled", background="lanczos")
LOAD = partial(load_enhancer, Setup(device="cpu"), Limits())


def pool(replicas: int) -> Engine:
    """So many replicas of one thread each."""
    ray.init(num_cpus=replicas, include_dashboard=False, log_to_driver=False)
    return RayEngine(LOAD, Limits(), replicas)


def local() -> Engine:
    torch.set_num_threads(2)
    return LocalEngine(LOAD, Limits())


WAYS: dict[str, Callable[[], Engine]] = {
    "1 replica × 1 thread": partial(pool, 1),
    "2 replicas × 1 thread": partial(pool, 2),
    "local, 2 threads": local,
}


def rate(way: Callable[[], Engine], sources: list[Source]) -> float:
    """Photos a second, the models loaded and warm."""
    with closing(way()) as engine:
        engine.load()
        list(engine.run(sources[: 2 * engine.replicas], OPTIONS))  # each replica is warm
        start = time.perf_counter()
        records = list(engine.run(sources, OPTIONS))
        seconds = time.perf_counter() - start
    ray.shutdown()
    assert all(isinstance(record, Result) for record in records), records
    return len(sources) / seconds


def measure(quick: bool) -> list[Table]:
    rounds, count = (1, 2) if quick else (3, 12)
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        sources = [Source.of(path) for path in portraits(Path(folder), count, tiny=quick)]
        for _ in range(rounds):
            for name, way in WAYS.items():
                rates[name].append(rate(way, sources))
    single = rates["1 replica × 1 thread"]
    return [
        Table(
            f"{count} portraits on two cores",
            [
                {
                    "models": name,
                    "photos a minute": round(60 * median(found), 1),
                    "ratio": round(median(f / s for f, s in zip(found, single, strict=True)), 2),
                }
                for name, found in rates.items()
            ],
            "models",
            ("ratio",),
        )
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
