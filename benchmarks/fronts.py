"""One pool behind several front ends: must a single photo wait for the batches of the others?

    python -m benchmarks.fronts [--json FILE] [--plot FILE] [--quick]

Two front ends keep the one replica of a pool on Ray busy with a batch each. A photo comes late
through a third, at several moments of the photo that is being worked on. Its wait, that is what it
takes longer than alone, is given as a multiple of one photo's service time, measured just before.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import ray

from benchmarks.fairness import GOAL, OFFSETS, collect
from benchmarks.serving import portraits
from benchmarks.tables import Row, Table, arguments, show
from enhance.build import load_enhancer
from enhance.engines.ray import RayEngine, RayRun
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.records import Result, Source

OPTIONS = Options(restorer="bundled", background="lanczos")


def front() -> RayEngine:
    return RayEngine(partial(load_enhancer, Setup(device="cpu"), Limits()), Limits(), 1)


def single(engine: RayEngine, photo: Source) -> float:
    """Seconds that a photo takes."""
    start = time.perf_counter()
    (record,) = engine.run([photo], OPTIONS)
    assert isinstance(record, Result), record
    return time.perf_counter() - start


def trial(engines: list[RayEngine], photo: Source, offset: float) -> tuple[float, float]:
    """The service time of the photo alone, and its time beside two batches, seconds."""
    *owners, late = engines
    service = single(late, photo)
    done = threading.Semaphore(0)

    def follow(batch: RayRun) -> None:
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


def measure(quick: bool) -> list[Table]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (path,) = portraits(Path(folder), 1, tiny=quick)
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
        stack.callback(ray.shutdown)
        engines = [stack.enter_context(closing(front())) for _ in range(3)]
        single(engines[0], Source.of(path))
        rows = collect(
            partial(trial, engines, Source.of(path)),
            OFFSETS[:1] if quick else OFFSETS,
            1 if quick else 3,
            "two batches",
        )
    title = "A single photo beside batches from two other front ends, one replica"
    goals = {"wait ÷ service": GOAL}
    return [Table(title, rows, "offset ÷ service", ("wait ÷ service",), goals)]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
