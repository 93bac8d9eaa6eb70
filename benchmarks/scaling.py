"""The pool on Ray: what a second replica is worth, and whether several front ends are fair.

    python -m benchmarks.scaling [--json FILE] [--plot FILE] [--quick]

First the same photos through Ray with one replica of one thread, with two of them, and through the
local engine with two threads; one after another, several times, in one run. The ratio is to one
replica. Then two front ends keep the one replica of a pool busy with a batch each. A photo comes
late through a third, at several moments of the photo that is being worked on. Its wait, that is
what it takes longer than alone, is given as a multiple of one photo's service time, measured just
before.
"""

import itertools
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from statistics import median

import ray
import torch

from benchmarks.fairness import GOAL, OFFSETS, collect
from benchmarks.serving import portraits
from benchmarks.tables import Table, arguments, show
from enhance.engines.base import Engine, Run
from enhance.engines.local import LocalEngine
from enhance.engines.ray import RayEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Result, Source

OPTIONS = Options(restorer="bundled", background="lanczos", repair="off", tone="off")
LOAD = partial(load_enhancer, Setup(device="cpu"), Limits())


def pool(replicas: int) -> Engine:
    """So many replicas of one thread each."""
    ray.init(num_cpus=replicas, include_dashboard=False, log_to_driver=False)
    return RayEngine(LOAD, Limits(), replicas=(replicas, replicas))


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


def throughput(sources: list[Source], rounds: int) -> Table:
    rates: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for name, way in WAYS.items():
            rates[name].append(rate(way, sources))
    single = rates["1 replica × 1 thread"]
    rows = [
        {
            "models": name,
            "photos a minute": round(60 * median(found), 1),
            "ratio": round(median(f / s for f, s in zip(found, single, strict=True)), 2),
        }
        for name, found in rates.items()
    ]
    return Table(f"{len(sources)} portraits on two cores", rows, "models", ("ratio",))


def single(engine: Engine, photo: Source) -> float:
    """Seconds that a photo takes."""
    start = time.perf_counter()
    (record,) = engine.run([photo], OPTIONS)
    assert isinstance(record, Result), record
    return time.perf_counter() - start


def trial(engines: list[Engine], photo: Source, offset: float) -> tuple[float, float]:
    """The service time of the photo alone, and its time beside two batches, seconds."""
    *owners, late = engines
    service = single(late, photo)
    done = threading.Semaphore(0)

    def follow(batch: Run) -> None:
        for _ in batch:
            done.release()

    with ExitStack() as stack:
        for owner in owners:
            batch = owner.run(itertools.repeat(photo), OPTIONS)
            follower = threading.Thread(target=follow, args=(batch,))
            stack.callback(follower.join)  # Ray ends a process that asks it after its shutdown
            stack.callback(batch.close)
            follower.start()
        for _ in range(4):  # both are under way
            done.acquire()
        time.sleep(offset * service)
        return service, single(late, photo)


def fairness(photo: Source, offsets: tuple[float, ...], repeat: int) -> Table:
    with ExitStack() as stack:
        engines = [stack.enter_context(closing(pool(1)))]
        stack.callback(ray.shutdown)
        engines += [RayEngine(LOAD, Limits()) for _ in range(2)]
        single(engines[0], photo)
        rows = collect(partial(trial, engines, photo), offsets, repeat, "two batches")
    title = "A single photo beside batches from two other front ends, one replica"
    return Table(title, rows, "offset ÷ service", ("wait ÷ service",), {"wait ÷ service": GOAL})


def measure(quick: bool) -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        paths = portraits(Path(folder), 2 if quick else 12, tiny=quick)
        sources = [Source.of(path) for path in paths]
        rounds, offsets = (1, OFFSETS[:1]) if quick else (3, OFFSETS)
        return [throughput(sources, rounds), fairness(sources[0], offsets, rounds)]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
