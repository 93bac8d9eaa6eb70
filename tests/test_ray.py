"""The pool on Ray: nothing is lost, people go first, replicas come and go; the command `pool`."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import ray

from benchmarks.photos import Damage, astronaut, degrade
from enhance.engines.choice import open_engine
from enhance.engines.local import LocalEngine
from enhance.engines.ray import RayEngine, differs
from enhance.engines.ray_pool import bring_up, find, result, take_down
from enhance.engines.ray_replica import Deployment, Replica, shares
from enhance.errors import OptionsError, PoolGone, UnreadablePhoto, WeightsMissing
from enhance.limits import Limits
from enhance.models.files import PackagedFile
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import Enhancer, load_enhancer
from enhance.records import Failure, Result, Source
from tests.conftest import Save
from tests.enhancers import (
    DEADLINE,
    QUICK,
    SETUP,
    Telling,
    begun,
    begun_in_order,
    named,
    pid,
    until,
)
from tests.server import ROOT

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

SLOW = Options(restorer="none", background="realesrgan", repair="off", tone="off", tile=64)


@pytest.fixture
def pool(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose pool, if there is one, ends with the test."""
    yield cluster
    with suppress(PoolGone):
        take_down()


class Front:
    """A batch that is sent to the pool by an engine of its own, which may bring it up."""

    def __init__(
        self, notes: Path, sources: Iterable[Source], replicas: int = 1, *, yields: bool = False
    ) -> None:
        load, limits = partial(Telling, notes), Limits()
        self.engine = RayEngine(load, limits, replicas=(replicas, replicas), yields=yields)
        self.records: list[Result | Failure] = []
        self._thread = threading.Thread(target=self._work, args=(sources,), daemon=True)
        self._thread.start()

    def _work(self, sources: Iterable[Source]) -> None:
        self.records.extend(self.engine.run(sources, QUICK))

    def end(self) -> list[Result | Failure]:
        """What came back."""
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        self.engine.close()
        return self.records

    def results(self) -> list[str]:
        """The names of what came back: all of them results."""
        records = self.end()
        assert all(isinstance(record, Result) for record in records), records
        return [record.name for record in records]


def status() -> tuple[list[str], int, int]:
    """What each replica does; how many photos of people and of folder runs wait."""
    _, replicas, photos = result(find().status.remote())
    people, folders = map(int, re.findall(r"\d+", photos))
    return replicas.removeprefix("replicas: ").split(", "), people, folders


def waiting() -> tuple[int, int]:
    """How many photos of people and of folder runs wait."""
    return status()[1:]


def one_first(sources: Iterable[Source], people: int) -> Iterator[Source]:
    """The photos, the second as soon as so many of people's wait: on the way to the pool it could
    overtake the first."""
    first, *others = sources
    yield first
    until(lambda: waiting()[0] == people)
    yield from others


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `enhance` as a user would, with a pool on Ray."""
    return subprocess.run(
        [sys.executable, "-m", "enhance", *arguments],
        cwd=ROOT,
        env=os.environ | {"ENHANCE_ENGINE": "ray"} | environment,
        capture_output=True,
        text=True,
    )


def test_the_same_bytes_as_without_ray(pool: Cluster, save: Save) -> None:
    face = save("face.jpg", degrade(astronaut(), Damage(down=2)), quality=95)
    options = Options(restorer="bundled", background="lanczos", repair="off", tone="off")
    load = partial(load_enhancer, SETUP, Limits())
    with closing(RayEngine(load, Limits())) as far, closing(LocalEngine(load, Limits())) as near:
        assert far.info is None
        (here,) = near.run([face], options, viewed=True)
        (there,) = far.run([face], options, viewed=True)
        assert far.info and far.load().precision == near.load().precision
    assert isinstance(here, Result) and isinstance(there, Result)
    assert here.layers
    assert replace(here, report=there.report) == there
    assert replace(here.report, seconds=there.report.seconds) == there.report


def test_a_lost_replica_costs_no_photo_but_one_that_ends_all(
    pool: Cluster, save: Save, notes: Path
) -> None:
    names = ["slow", "deadly", *map(str, range(8))]
    front = Front(notes, named(save, *names), 2)
    (first,) = begun(notes, "slow")
    os.kill(pid(first), 9)
    first.unlink()
    (second,) = begun(notes, "slow")
    assert pid(second) != pid(first)
    second.unlink()
    records = {record.name: record for record in front.end()}
    assert len(records) == len(front.records) == len(names)
    assert len(begun(notes, "deadly")) == 3
    lost = records.pop("deadly")
    assert isinstance(lost, Failure)
    assert lost.kind == "ReplicaLost"
    assert "“deadly”" in lost.reason
    assert all(isinstance(record, Result) for record in records.values()), records


def test_two_fronts_lose_nothing_with_a_node(pool: Cluster, save: Save, notes: Path) -> None:
    front = Front(notes, named(save, *(f"slow-{number}" for number in range(6))), 3)
    other = Front(notes, named(save, *map(str, range(20))))
    assert other.engine.replicas == 3, "the pool's, which was there already"
    here = set(begun(notes, "slow-*", 2))  # whichever have arrived first
    doomed = pool.add_node(num_cpus=1, object_store_memory=100_000_000)
    (there,) = set(begun(notes, "slow-*", 3)) - here
    pool.remove_node(doomed)
    until(lambda: waiting()[0] > 0)
    free = threading.Event()

    def go_on() -> None:
        held: set[Path] = set()  # each once, as a photo that goes on makes its note again
        while not free.wait(0.05):
            for note in set(notes.glob("slow-*")) - held:
                note.unlink()
                held.add(note)

    letting_go = threading.Thread(target=go_on)
    letting_go.start()
    try:
        assert Counter(front.results()) == Counter(f"slow-{number}" for number in range(6))
        assert Counter(other.results()) == Counter(map(str, range(20)))
    finally:
        free.set()
        letting_go.join()
    again = begun(notes, there.name.split()[0])
    assert there.name not in {note.name for note in again}, "it was begun again"


def test_people_go_first_and_a_single_photo_before_batches(
    pool: Cluster, save: Save, notes: Path
) -> None:
    folder = Front(notes, named(save, "slow", *["folder"] * 5), yields=True)
    (held,) = begun(notes, "slow")
    batches = []
    for number in (1, 2):
        batch = named(save, f"slow batch {number}", *[f"batch {number}"] * 5)
        batches.append(Front(notes, one_first(batch, 2 * number - 1)))
        until(lambda number=number: waiting() == (2 * number, 1))  # type: ignore[misc]
    for number in (1, 2):
        held.unlink()
        (held,) = begun(notes, f"slow batch {number}")
    single = Front(notes, named(save, "single"))
    until(lambda: waiting()[0] == 4)
    held.unlink()
    assert [len(front.results()) for front in (folder, *batches, single)] == [6, 6, 6, 1]
    order = begun_in_order(notes)
    assert order[:4] == ["slow", "slow batch 1", "slow batch 2", "single"]
    assert sorted(order[4:14]) == ["batch 1"] * 5 + ["batch 2"] * 5
    assert set(order[4:8]) == {"batch 1", "batch 2"}, "they take turns"
    assert order[14:] == ["folder"] * 5


def test_a_stop_reaches_the_replica_and_the_queue(pool: Cluster, save: Save, notes: Path) -> None:
    large = save("large.png", np.tile(astronaut(), (2, 2, 1)))  # 400 tiles
    with closing(RayEngine(partial(Telling, notes), Limits(), replicas=(1, 1))) as engine:
        run = engine.run([large, large], SLOW)
        records: list[Result | Failure] = []
        work = threading.Thread(target=lambda: records.extend(run))
        work.start()
        (note,) = begun(notes, "large.png")
        until(lambda: waiting() == (1, 0))
        run.close()
        work.join(DEADLINE)
        assert records == [] and not work.is_alive()
        until(lambda: waiting() == (0, 0))
        assert len(list(engine.run(named(save, "next"), QUICK))) == 1  # by the same replica
        assert note.stat().st_size < 200, "it was stopped between two tiles"
        assert begun(notes, "large.png") == [note]


def test_the_pool_grows_and_shrinks(pool: Cluster, save: Save, notes: Path) -> None:
    load = partial(Telling, notes)
    deployment = Deployment(load, Limits(), SETUP, least=1, most=2, cpus=1, gpus=0, idle_seconds=2)
    result(bring_up(deployment).load.remote())
    assert status()[0] == ["free"]
    front = Front(notes, named(save, "slow-0", "slow-1", *map(str, range(8))))
    at_work = [*begun(notes, "slow-0"), *begun(notes, "slow-1")]
    assert status()[0] == ["at work", "at work"]
    for note in at_work:
        note.unlink()
    assert len(front.results()) == 10
    assert front.engine.running == 2
    until(lambda: status()[0] == ["free"])
    assert Front(notes, named(save, "later")).results() == ["later"]


def test_the_pool_itself_may_be_restarted(pool: Cluster, save: Save, notes: Path) -> None:
    names = ["slow", *map(str, range(10))]
    front = Front(notes, named(save, *names))
    begun(notes, "slow")
    ray.kill(find(), no_restart=False)
    for note in begun(notes, "slow", 2):  # begun anew
        note.unlink()
    assert Counter(front.results()) == Counter(names)


def test_missing_weights_fail_every_photo_until_they_are_there(
    pool: Cluster, save: Save, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    engine = RayEngine(partial(_once_there_are_weights, there), Limits(), replicas=(1, 1))
    with pytest.raises(WeightsMissing, match="pip install no-such-package-here"):
        engine.load()
    records = list(engine.run(named(save, "a", "b"), QUICK))
    assert len(records) == 2
    for record in records:
        assert isinstance(record, Failure)
        assert record.kind == "WeightsMissing"
        assert f"“{record.name}”" in record.reason
    assert engine.info is None
    there.touch()
    (record,) = engine.run(named(save, "a"), QUICK)
    assert isinstance(record, Result)
    assert engine.info and engine.load() == engine.info


def _once_there_are_weights(there: Path) -> Enhancer:
    if not there.exists():
        PackagedFile("no-such-package-here", "weights.bin", 1, "0" * 64, "MIT").read()
    return load_enhancer(SETUP, Limits())


def test_the_command_brings_the_pool_up_and_takes_it_down(pool: Cluster, save: Save) -> None:
    def output(*arguments: str) -> list[str]:
        done = command("pool", *arguments, RAY_ADDRESS=pool.address, ENHANCE_REPLICAS="1")
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    lines = output("up", "--device=cpu")
    assert lines[0].startswith("1 to 1 replicas of 2 CPUs")
    assert lines[1:] == ["replicas: free", "photos waiting: 0 of people, 0 of folder runs"]
    assert output("status") == lines
    there = {"ENHANCE_ENGINE": "ray"}
    with pytest.raises(OptionsError, match="other settings"):
        open_engine(Setup(device="cpu", precision="fp32"), Limits(), there)
    with closing(open_engine(Setup(), Limits(), there)) as engine:
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Result)
        assert output("down") == []
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Failure)
        assert record.kind == "PoolGone"
        assert "“python -m enhance pool up”" in record.reason
        with pytest.raises(PoolGone):
            engine.load()
        result(bring_up(Deployment.for_cluster(_load, Limits(), SETUP, (1, 1))).load.remote())
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Result), "the pool is found again"


def _load() -> Enhancer:
    return load_enhancer(SETUP, Limits())


def test_the_same_command_with_a_pool_of_its_own(save: Save, tmp_path: Path) -> None:
    for number in range(6):
        save(f"{number}.png", np.roll(astronaut()[::8, ::8], number, axis=1))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    ways = {"here": {"ENHANCE_ENGINE": "local"}, "there": {"ENHANCE_REPLICAS": "2"}}
    for out, environment in ways.items():
        where = ["run", str(tmp_path), "-o", str(tmp_path / out)]
        done = command(*where, "--restorer=none", "--background=lanczos", **environment)
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("failed: “broken.jpg”") == 1
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / out).glob("*.png")} for out in ways
    )
    assert len(here) == 6
    assert here == there


@pytest.mark.parametrize(
    ("cpus", "gpus", "wanted", "expected"),
    [
        ([2], 0, (1, None), (1, 2, 0)),
        ([8], 0, (1, None), (2, 4, 0)),
        ([16, 6], 0, (1, None), (5, 4, 0)),
        ([0, 4], 0, (1, None), (1, 4, 0)),
        ([2], 0, (2, 2), (2, 1, 0)),
        ([1, 1], 0, (1, 1), (1, 1, 0)),
        ([2], 0, (5, 5), (5, 1, 0)),
        ([0, 4], 0, (1, 8), (8, 4, 0)),
        ([16], 0, (1, 2), (2, 4, 0)),
        ([8], 1, (1, None), (1, 1, 1)),
        ([8, 8], 4, (1, None), (4, 1, 1)),
        ([8], 2, (1, 3), (3, 1, 0.5)),
        ([8], 2, (1, 1), (1, 1, 1)),
    ],
)
def test_how_replicas_share_a_cluster(
    cpus: list[int],
    gpus: int,
    wanted: tuple[int, int | None],
    expected: tuple[int, int, float],
) -> None:
    assert shares(cpus, gpus, *wanted) == expected


def test_a_cluster_without_processors_is_a_sentence() -> None:
    with pytest.raises(OptionsError, match="No node of this Ray cluster has CPUs"):
        shares([0], 0, 1, None)


def test_only_what_was_asked_for_must_be_there() -> None:
    there = Setup(device="cuda", precision="fp32")
    assert not differs(Setup(), there)
    assert not differs(Setup(precision="fp32"), there)
    assert differs(Setup(precision="bf16"), there)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ENHANCE_ENGINE": "spark"}, "must be local or ray"),
        ({"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "many"}, "auto, a whole number"),
        ({"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "0"}, "auto, a whole number"),
        ({"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "3..2"}, "range such as 1..8"),
        ({"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "0..2"}, "range such as 1..8"),
    ],
)
def test_a_wrong_environment_is_refused(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(OptionsError, match=sentence):
        open_engine(SETUP, Limits(), environment)


def test_a_cluster_that_is_not_there_is_a_sentence() -> None:
    done = command("pool", "status", RAY_ADDRESS="nowhere")
    assert done.returncode == 1
    assert re.search(r"nowhere\)\. Check RAY_ADDRESS and RAY_TMPDIR", done.stderr)


def test_no_folder_for_temporary_files_is_a_sentence(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = save("a.png", astronaut()[::8, ::8])
    done = command("run", str(tmp_path), "-o", str(tmp_path / "out"), RAY_TMPDIR=os.devnull)
    assert done.returncode == 2
    assert "Not a directory: '/dev/null/ray'). Check RAY_ADDRESS and RAY_TMPDIR" in done.stderr
    replica = Replica(_load, Limits())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(UnreadablePhoto, match=r"“a\.png” cannot be read: No such file"):
        asyncio.run(replica.enhance(photo.path.read_bytes(), photo, QUICK, False))


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "enhance.engines.ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionsError, match=r"pip install -r requirements-ray\.txt"):
        open_engine(SETUP, Limits(), {"ENHANCE_ENGINE": "ray"})
