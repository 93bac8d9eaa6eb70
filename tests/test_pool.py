"""One pool behind several front ends: nothing is lost, people go first, replicas come and go."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from benchmarks.photos import astronaut
from enhance.engines.choice import open_engine
from enhance.engines.cluster import deploy, deployment_for, find, status
from enhance.engines.ray import RayEngine
from enhance.errors import OptionsError, WeightsMissing
from enhance.limits import Limits
from enhance.models.files import PackagedFile
from enhance.options import Setup
from enhance.pipeline import Enhancer
from enhance.records import Failure, Result, Source
from tests.conftest import Save
from tests.enhancers import DEADLINE, QUICK, SETUP, Telling, begun, named, pid
from tests.server import ROOT


class Front:
    """A batch that is sent to the pool by an engine of its own."""

    def __init__(self, notes: Path, sources: Iterable[Source], *, yields: bool = False) -> None:
        self.engine = RayEngine(partial(Telling, notes), Limits(), 1, yields=yields)
        self.records: list[Result | Failure] = []
        self._thread = threading.Thread(target=self._work, args=(sources,), daemon=True)
        self._thread.start()

    def _work(self, sources: Iterable[Source]) -> None:
        self.records.extend(self.engine.run(sources, QUICK))

    def end(self) -> list[Result | Failure]:
        """What came back, each photo once."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        self.engine.close()
        assert all(isinstance(record, Result) for record in self.records), self.records
        return self.records


def until(true: Callable[[], bool]) -> None:
    """Wait for something that must happen."""
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def begun_in_order(notes: Path) -> list[str]:
    """The names of the photos, in the order in which the replicas began with them."""
    found = [note.name.rsplit(" ", 2) for note in notes.iterdir()]
    return [name for name, _, _ in sorted(found, key=lambda note: int(note[2]))]


def command(cluster: Cluster, *arguments: str, **environment: str) -> list[str]:
    """Run `enhance` on the cluster; returns what it prints."""
    pool = {"ENHANCE_ENGINE": "ray", "RAY_ADDRESS": cluster.address}
    done = subprocess.run(
        [sys.executable, "-m", "enhance", *arguments],
        cwd=ROOT,
        env=os.environ | pool | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_two_fronts_lose_nothing_with_a_replica_and_a_node(
    cluster: Cluster, save: Save, notes: Path, tmp_path: Path
) -> None:
    doomed = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    deploy(deployment_for(partial(Telling, notes), Limits(), SETUP, 2, 2))
    there = tmp_path / "there"
    photos = [str(save(f"{number}.png", astronaut()[::16, ::16]).path) for number in range(40)]
    names = ["slow-0", "slow-1", *(f"here-{number}" for number in range(38))]
    here = Front(notes, named(save, *names))
    assert here.engine.replicas == 2, "the pool's, which was there already"
    options = ["--restorer=none", "--background=lanczos", "-q"]
    other = threading.Thread(target=command, args=(cluster, *photos, "-o", str(there), *options))
    other.start()
    victims = [*begun(notes, "slow-0"), *begun(notes, "slow-1")]
    assert pid(victims[0]) != pid(victims[1])
    until(lambda: status().people > 1)  # both fronts are there
    os.kill(pid(victims[0]), 9)
    until(lambda: len(begun(notes, "slow-0")) == 2)
    cluster.remove_node(doomed)
    while other.is_alive() or len(here.records) < 40:
        for note in notes.glob("slow-*"):
            note.unlink()  # it may go on
        time.sleep(0.1)
    assert Counter(record.name for record in here.end()) == Counter(names)
    results = {path.name for path in there.glob("*.png")}
    assert results == {f"{number}_enhanced.png" for number in range(40)}


def test_people_go_first_and_a_single_photo_before_batches(
    cluster: Cluster, save: Save, notes: Path
) -> None:
    ray.init(address=cluster.address, log_to_driver=False)
    folder = Front(notes, named(save, "slow", *["folder"] * 5), yields=True)
    (held,) = begun(notes, "slow")
    batches = []
    for number in (1, 2):
        batch = [f"slow batch {number}", *[f"batch {number}"] * 5]
        batches.append(Front(notes, named(save, *batch)))
        until(lambda number=number: (status().people, status().folders) == (2 * number, 1))  # type: ignore[misc]
    for number in (1, 2):
        held.unlink()
        (held,) = begun(notes, f"slow batch {number}")
    single = Front(notes, named(save, "single"))
    until(lambda: status().people == 4)
    held.unlink()
    counts = [len(front.end()) for front in (folder, *batches, single)]
    assert counts == [6, 6, 6, 1]
    order = begun_in_order(notes)
    assert order[:4] == ["slow", "slow batch 1", "slow batch 2", "single"]
    assert order[4:14] == ["batch 1", "batch 2"] * 5, "they take turns"
    assert order[14:] == ["folder"] * 5


def test_the_pool_grows_and_shrinks(cluster: Cluster, save: Save, notes: Path) -> None:
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    deploy(deployment_for(partial(Telling, notes), Limits(), SETUP, 1, 2, idle_seconds=2))
    assert len(status().replicas) == 1
    front = Front(notes, named(save, "slow-0", "slow-1", *map(str, range(8))))
    for name in ("slow-0", "slow-1"):
        (note,) = begun(notes, name)
        if name == "slow-0":
            first = note
    assert status().replicas == ["at work", "at work"]
    first.unlink()
    note.unlink()
    assert len(front.end()) == 10
    until(lambda: status().replicas == ["free"])
    later = Front(notes, named(save, "later"))
    assert len(later.end()) == 1


def test_renewing_the_replicas_loses_and_repeats_nothing(
    cluster: Cluster, save: Save, notes: Path
) -> None:
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address, log_to_driver=False)
    deployment = deployment_for(partial(Telling, notes), Limits(), SETUP, 2, 2)
    deploy(deployment)
    renewed = threading.Event()
    names = ["slow-0", "slow-1"]

    def renew() -> None:
        try:
            deploy(deployment)
        finally:
            renewed.set()

    def until_then() -> Iterator[Source]:
        yield from named(save, *names)
        while not renewed.is_set() or len(names) < 40:
            names.append(str(len(names)))
            yield from named(save, names[-1])

    front = Front(notes, until_then())
    at_work = [*begun(notes, "slow-0"), *begun(notes, "slow-1")]
    threading.Thread(target=renew, daemon=True).start()
    for note in at_work:
        note.unlink()
    records = front.end()
    assert Counter(record.name for record in records) == Counter(names)
    assert Counter(begun_in_order(notes)) == Counter(names), "none was begun twice"
    after = Front(notes, named(save, "slow-2", "slow-3"))
    new = [*begun(notes, "slow-2"), *begun(notes, "slow-3")]
    assert not set(map(pid, new)) & set(map(pid, at_work))
    for note in new:
        note.unlink()
    after.end()

    under_load = Front(notes, named(save, "slow-4", "slow-5", *map(str, range(6))))
    at_work = [*begun(notes, "slow-4"), *begun(notes, "slow-5")]
    raised: list[WeightsMissing] = []

    def renew_badly() -> None:
        try:
            deploy(deployment_for(_without_weights, Limits(), SETUP, 2, 2))
        except WeightsMissing as error:
            raised.append(error)

    failing = threading.Thread(target=renew_badly, daemon=True)
    failing.start()
    for note in at_work:
        note.unlink()
    failing.join(DEADLINE)
    assert raised
    assert len(under_load.end()) == 8, "the broken one gets no photo"
    until(lambda: len(status().replicas) == 2)


def _without_weights() -> Enhancer:
    PackagedFile("no-such-package-here", "weights.bin", 1, "0" * 64, "MIT").read()
    raise AssertionError


def test_the_pool_itself_may_be_restarted(cluster: Cluster, save: Save, notes: Path) -> None:
    ray.init(address=cluster.address, log_to_driver=False)
    names = ["slow", *map(str, range(10))]
    front = Front(notes, named(save, *names))
    (note,) = begun(notes, "slow")
    ray.kill(find(), no_restart=False)
    until(lambda: len(begun(notes, "slow")) == 2)  # begun anew
    for note in begun(notes, "slow"):
        note.unlink()
    assert Counter(record.name for record in front.end()) == Counter(names)


def test_the_command_brings_the_pool_up_and_takes_it_down(cluster: Cluster, save: Save) -> None:
    lines = command(cluster, "pool", "up", "--device=cpu", ENHANCE_REPLICAS="1")
    assert lines[0].startswith("1 to 1 replicas of 1 CPUs")
    assert lines[1:] == ["replicas: free", "photos waiting: 0 of people, 0 of folder runs"]
    assert command(cluster, "pool", "status") == lines
    ray.init(address=cluster.address, log_to_driver=False)
    there = {"ENHANCE_ENGINE": "ray"}
    with pytest.raises(OptionsError, match="other settings"):
        open_engine(Setup(device="cpu", precision="fp32"), Limits(), there)
    with closing(open_engine(Setup(), Limits(), there)) as engine:
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Result)
        command(cluster, "pool", "down")
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Failure)
        assert record.kind == "PoolGone"
        assert "“python -m enhance pool up”" in record.reason
        command(cluster, "pool", "up", ENHANCE_REPLICAS="1")
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Result), "it is found again"
