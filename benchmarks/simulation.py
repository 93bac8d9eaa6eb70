"""How long people wait when there are more of them, and more models: a small simulation.

    python -m benchmarks.simulation [--json FILE] [--plot FILE] [--quick]

What is simulated is the line of the engines: a batch has as many photos in it as there are models,
and one more; whichever model is free takes the photo that has been in line longest. Everything is
in service times, the time that a photo takes at the model. First the simulation is held against
what was measured on one machine (docs/benchmarks), then it is asked for more.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, quantiles

from benchmarks.tables import Row, Table, arguments, show

MEASURED = Path(__file__).parents[1] / "docs" / "benchmarks"
SIZES = {1: 70, 10: 20, 50: 10}  # photos of a batch, and how many batches in a hundred have them


@dataclass(eq=False)
class Batch:
    """arrives: when it is sent. finished: when each photo was done."""

    arrives: float
    photos: int
    begun: int = 0  # so many photos were put in line
    finished: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        """What the first photo took, from sending to seeing."""
        return self.finished[0] - self.arrives


def simulate(batches: list[Batch], models: int, *, whole: bool = False) -> None:
    """Work through the batches, which are changed. Every photo takes 1.

    whole: all photos of a batch stand in line at once, as where nobody takes turns.
    """
    events = [(batch.arrives, number, batch, False) for number, batch in enumerate(batches)]
    heapq.heapify(events)
    serial = len(events)
    line: deque[Batch] = deque()
    free = models
    while events:
        now, _, batch, done = heapq.heappop(events)
        if done:
            free += 1
            batch.finished.append(now)
        in_line = batch.begun - len(batch.finished)
        more = batch.photos if whole else models + 1
        added = min(more - in_line, batch.photos - batch.begun)
        batch.begun += added
        line.extend([batch] * added)
        while free and line:
            serial += 1
            free -= 1
            heapq.heappush(events, (now + 1, serial, line.popleft(), True))


def streaming(concurrency: int, photos: int = 5) -> tuple[float, float]:
    """(first result, all results) of photos sent one by one over so many connections."""
    waiting, done = [0.0] * concurrency, []
    free = 0.0
    for _ in range(photos):
        free = max(free, heapq.heappop(waiting)) + 1  # one model
        done.append(free)
        heapq.heappush(waiting, free)
    return done[0], done[-1]


def late(offset: float) -> float:
    """How long a single photo waits that comes so far into a photo of a long batch."""
    # Not at the very moment at which the photo begins.
    long, single = Batch(0, 20), Batch(5 + offset + 1e-6, 1)
    simulate([long, single], 1)
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
    simulate(fair, models)
    simulate(unfair, models, whole=True)
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
        add(f"late photo, {offset} into another's: wait", row["wait ÷ service"], late(offset))
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
    ]


def main(argv: list[str] | None = None) -> None:
    wanted = arguments(__doc__).parse_args(argv)
    show(measure(wanted.quick), wanted)


if __name__ == "__main__":
    main()
