"""How long people wait when there are more of them, and more models: a small simulation.

    python -m benchmarks.simulation [--json FILE] [--plot FILE] [--quick]

What is simulated is the queue of the engines: a batch has as many photos in it as there may be
models, and one more; whichever model is free takes the next one. The pool on Ray takes the first
photo of a batch before the others, and adds and removes models with the load. Everything is in
service times, the time that a photo takes at the model. First the simulation is compared with what
was measured on one machine (docs/benchmarks), then it is asked for more.
"""

from __future__ import annotations

import heapq
import json
import random
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import mean, quantiles

from benchmarks.tables import Row, Table, arguments, show

MEASURED = Path(__file__).parents[1] / "docs" / "benchmarks"
SIZES = {1: 70, 10: 20, 50: 10}  # photos of a batch, and how many batches in a hundred have them
SERVICE = 1.8  # seconds: a portrait with the bundled restorer on two cores


@dataclass(eq=False)
class Batch:
    """arrives: when it is sent. finished: when each photo was done."""

    arrives: float
    photos: int
    begun: int = 0  # so many photos were put in the queue
    finished: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        """What the first photo took, from sending to seeing."""
        return self.finished[0] - self.arrives


@dataclass(frozen=True)
class Engine:
    """Models behind one queue, and how the queue is served.

    least, most: how many models. whole: all photos of a batch are queued at once, as where nobody
    takes turns. firsts_first: the first photo of a batch goes before the others, as in the pool.
    pause, patience, idle: as in enhance/engines/pool.py. start: what loading a model takes.
    """

    least: int
    most: int
    whole: bool = False
    firsts_first: bool = False
    pause: float = 1 / SERVICE
    patience: float = 3 / SERVICE
    idle: float = 300 / SERVICE
    start: float = 5 / SERVICE

    @classmethod
    def fixed(cls, models: int, *, whole: bool = False) -> Engine:
        """One with a constant number of models."""
        return cls(models, models, whole)


def simulate(batches: list[Batch], engine: Engine) -> float:
    """Work through the batches, which are changed. Every photo takes 1.

    Returns how many models there were on average.
    """
    serial = count()
    events: list[tuple[float, int, str, Batch | None]] = [
        (batch.arrives, next(serial), "arrives", batch) for batch in batches
    ]
    if engine.least < engine.most:
        events.append((0.0, next(serial), "look", None))
    heapq.heapify(events)
    queue: list[tuple[bool, int, float, Batch]] = []
    models, free = engine.least, [0.0] * engine.least  # since when each has been idle
    loading, held, before = False, 0.0, 0.0
    while events:
        now, _, what, batch = heapq.heappop(events)
        held += (models + loading) * (now - before)
        before = now
        if what == "look":
            waited = max((now - since for _, _, since, _ in queue), default=0.0)
            if not free and waited > engine.patience and models < engine.most and not loading:
                loading = True
                heapq.heappush(events, (now + engine.start, next(serial), "loaded", None))
            elif free and models > engine.least and now - free[0] > engine.idle:
                models -= 1
                free.pop(0)
            if events:
                heapq.heappush(events, (now + engine.pause, next(serial), "look", None))
        elif what == "loaded":
            loading = False
            models += 1
            free.append(now)
        elif what == "done":
            free.append(now)
        if batch:
            if what == "done":
                batch.finished.append(now)
            queued = batch.begun - len(batch.finished)
            more = batch.photos if engine.whole else engine.most + 1
            for _ in range(min(more - queued, batch.photos - batch.begun)):
                later = engine.firsts_first and batch.begun > 0
                heapq.heappush(queue, (later, next(serial), now, batch))
                batch.begun += 1
        while free and queue:
            free.pop()  # the one used last, so that the others may go
            *_, batch = heapq.heappop(queue)
            heapq.heappush(events, (now + 1, next(serial), "done", batch))
    return held / before


def streaming(concurrency: int, photos: int = 5) -> tuple[float, float]:
    """(first result, all results) of photos sent one by one over so many connections."""
    waiting, done = [0.0] * concurrency, []
    free = 0.0
    for _ in range(photos):
        free = max(free, heapq.heappop(waiting)) + 1  # one model
        done.append(free)
        heapq.heappush(waiting, free)
    return done[0], done[-1]


def late(offset: float, engine: Engine, others: int = 1) -> float:
    """How long a single photo waits that comes so far into a photo of one of the long batches."""
    # Not at the very moment at which the photo begins.
    single = Batch(5 + offset + 1e-6, 1)
    simulate([*(Batch(0, 20) for _ in range(others)), single], engine)
    return single.first - 1


def crowd(models: int, load: float, count: int, seed: int = 0) -> list[Batch]:
    """Batches of mixed sizes that come at random. load: of the models' time, from 0 to 1."""
    dice = random.Random(seed)
    mean_size = sum(size * share for size, share in SIZES.items()) / sum(SIZES.values())
    batches, now = [], 0.0
    for _ in range(count):
        now += dice.expovariate(models * load / mean_size)
        (size,) = dice.choices(list(SIZES), list(SIZES.values()))
        batches.append(Batch(now, size))
    return batches


def waits(models: int, load: float, count: int) -> Row:
    """Until the model takes the first photo, for people with one and with fifty photos."""
    fair, unfair = crowd(models, load, count), crowd(models, load, count)
    simulate(fair, Engine.fixed(models))
    simulate(unfair, Engine.fixed(models, whole=True))
    singles, large, without = _waits(fair, 1), _waits(fair, 50), _waits(unfair, 1)
    return {
        "models": models,
        "load": load,
        "1 photo, mean": round(mean(singles), 1),
        "95 % below": round(quantiles(singles, n=20)[-1], 1),
        "50 photos, mean": round(mean(large), 1),
        "1 photo without turns, mean": round(mean(without), 1),
        "without turns, 95 % below": round(quantiles(without, n=20)[-1], 1),
    }


def growing(load: float, count: int) -> Row:
    """A pool of one to eight models, and one that has always eight, at a load of all eight."""
    row: Row = {"load of 8 models": load}
    for name, least in (("1..8", 1), ("8", 8)):
        batches = crowd(8, load, count)
        models = simulate(batches, Engine(least, 8, firsts_first=True))
        singles = _waits(batches, 1)
        row |= {
            f"models, {name}": round(models, 2),
            f"1 photo, mean, {name}": round(mean(singles), 2),
            f"95 % below, {name}": round(quantiles(singles, n=20)[-1], 1),
        }
    return row


def fronts(number: int, load: float, count: int) -> Row:
    """Eight models as one pool behind several front ends, and dealt out to them."""
    pooled = crowd(8, load, count)
    simulate(pooled, Engine(8, 8, firsts_first=True))
    apart = [crowd(8 // number, load, count // number, seed) for seed in range(number)]
    for batches in apart:
        simulate(batches, Engine.fixed(8 // number))
    waited = [wait for batches in apart for wait in _waits(batches, 1)]
    return {
        "front ends": number,
        "load": load,
        "1 photo, one pool": round(mean(_waits(pooled, 1)), 2),
        "1 photo, models of their own": round(mean(waited), 2),
    }


def _waits(batches: list[Batch], size: int) -> list[float]:
    return [batch.first - 1 for batch in batches if batch.photos == size]


def compared() -> list[Row]:
    """What was measured beside what is simulated."""
    rows: list[Row] = []

    def add(what: str, measured: float, simulated: float) -> None:
        rows.append({"what": what, "measured": measured, "simulated": round(simulated, 2)})

    single = next(iter(json.loads((MEASURED / "streaming.json").read_text("utf-8")).values()))
    for row in single:
        first, total = streaming(row["concurrency"])
        sent = f"5 photos, {row['concurrency']} at once"
        add(f"{sent}: first", row["first ÷ service"], first)
        add(f"{sent}: all", row["total ÷ service"], total)
    api = next(iter(json.loads((MEASURED / "fairness.json").read_text("utf-8")).values()))
    for row in api:
        offset = row["offset ÷ service"]
        wait = late(offset, Engine.fixed(1))
        add(f"late photo, {offset} into another's: wait", row["wait ÷ service"], wait)
    # A front end sees a result when the replica is already some way into the next photo, so only
    # the mean over all moments can be compared.
    two = next(iter(json.loads((MEASURED / "fronts.json").read_text("utf-8")).values()))
    pool = Engine(1, 1, firsts_first=True)
    add(
        "late photo, two other front ends: mean wait",
        round(mean(row["wait ÷ service"] for row in two), 2),
        mean(late(row["offset ÷ service"], pool, others=2) for row in two),
    )
    return rows


def measure(quick: bool) -> list[Table]:
    count = 200 if quick else 20_000
    fleet = [
        waits(models, load, count)
        for load in ((0.8,) if quick else (0.5, 0.8, 0.95))
        for models in ((1, 2) if quick else (1, 2, 4, 8, 16))
    ]
    return [
        Table("One machine, in service times", compared()),
        Table("A fleet, in service times", fleet),
        Table(
            "Wait for the first photo at 80 % load",
            [
                {"models": row["models"], "1 photo": row["1 photo, mean"]}
                | {"1 photo without turns": row["1 photo without turns, mean"]}
                for row in fleet
                if row["load"] == 0.8
            ],
            "models",
            ("1 photo", "1 photo without turns"),
        ),
        Table(
            "Models that come and go", [growing(load, count) for load in (0.002, 0.01, 0.05, 0.2)]
        ),
        Table(
            "Several front ends, eight models",
            [fronts(number, 0.8, count) for number in (2, 4, 8)],
        ),
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
