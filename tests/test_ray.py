"""The pool on Ray: lost replicas and nodes, stopping, the plan."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from benchmarks.photos import Damage, astronaut, degrade
from enhance.build import load_enhancer
from enhance.engines.choice import open_engine
from enhance.engines.local import LocalEngine
from enhance.engines.ray import RayEngine, differs
from enhance.engines.replicas import Plan
from enhance.errors import OptionsError
from enhance.limits import Limits
from enhance.models.files import PackagedFile
from enhance.options import Options, Setup
from enhance.pipeline import Enhancer
from enhance.records import Failure, Result, Source
from tests.conftest import Save
from tests.enhancers import DEADLINE, QUICK, SETUP, Telling, begun, named, pid
from tests.server import ROOT

SLOW = Options(restorer="none", background="realesrgan", working_size="full", tile=64)


def collect(engine: RayEngine, sources: list[Source], into: list[Result | Failure]) -> None:
    into.extend(engine.run(sources, QUICK))


def test_the_same_bytes_as_without_ray(save: Save) -> None:
    face = save("face.jpg", degrade(astronaut(), Damage(down=2)), quality=95)
    options = Options(restorer="bundled", background="lanczos")
    load = partial(load_enhancer, SETUP, Limits())
    with closing(RayEngine(load, Limits(), 2)) as pool, closing(LocalEngine(load, Limits())) as one:
        (here,) = one.run([face], options, viewed=True)
        (there,) = pool.run([face], options, viewed=True)
        assert pool.load().precision == one.load().precision
    assert isinstance(here, Result) and isinstance(there, Result)
    assert here.layers
    assert replace(here, report=there.report) == there
    assert replace(here.report, seconds=there.report.seconds) == there.report


def test_a_photo_whose_replica_is_killed_is_done_by_another(save: Save, notes: Path) -> None:
    records: list[Result | Failure] = []
    with closing(RayEngine(partial(Telling, notes), Limits(), 2)) as engine:
        sources = named(save, "slow", *map(str, range(10)))
        work = threading.Thread(target=collect, args=(engine, sources, records))
        work.start()
        (first,) = begun(notes, "slow")
        os.kill(pid(first), 9)
        first.unlink()
        (second,) = begun(notes, "slow")
        assert pid(second) != pid(first)
        second.unlink()
        work.join(DEADLINE)
        records.extend(engine.run(named(save, "later"), QUICK))
    assert all(isinstance(record, Result) for record in records), records
    names = Counter(record.name for record in records)
    assert names == Counter(["slow", *map(str, range(10)), "later"])


def test_a_photo_that_ends_every_replica_is_given_up(save: Save, notes: Path) -> None:
    names = ["0", "1", "deadly", "2", "3", "4", "5"]
    with closing(RayEngine(partial(Telling, notes), Limits(), 2)) as engine:
        records = {record.name: record for record in engine.run(named(save, *names), QUICK)}
    assert len(begun(notes, "deadly")) == 3
    lost = records.pop("deadly")
    assert isinstance(lost, Failure)
    assert lost.kind == "ReplicaLost"
    assert "“deadly”" in lost.reason
    assert all(isinstance(record, Result) for record in records.values())
    assert len(records) == 6


def test_a_stop_reaches_the_replica(save: Save, notes: Path) -> None:
    large = save("large.png", np.tile(astronaut(), (2, 2, 1)))  # 400 tiles
    with closing(RayEngine(partial(Telling, notes), Limits(), 1)) as engine:
        run = engine.run([large, large], SLOW)
        records: list[Result | Failure] = []
        work = threading.Thread(target=lambda: records.extend(run))
        work.start()
        (note,) = begun(notes, "large.png")
        run.close()
        work.join(DEADLINE)
        assert records == [] and not work.is_alive()
        assert len(list(engine.run(named(save, "next"), QUICK))) == 1  # by the same replica
        assert note.stat().st_size < 200, "it was stopped between two tiles"
        assert begun(notes, "large.png") == [note]


def test_missing_weights_fail_every_photo_with_the_sentence(save: Save) -> None:
    with closing(RayEngine(_without_weights, Limits(), 1)) as engine:
        with pytest.raises(Exception, match="pip install no-such-package-here"):
            engine.load()
        records = list(engine.run(named(save, "a", "b"), QUICK))
        assert engine.info is None
    for record in records:
        assert isinstance(record, Failure)
        assert record.kind == "WeightsMissing"
        assert f"“{record.name}”" in record.reason
    assert len(records) == 2


def test_models_that_load_at_the_second_attempt_are_known(save: Save, tmp_path: Path) -> None:
    load = partial(_at_the_second_attempt, tmp_path / "tried")
    with closing(RayEngine(load, Limits(), 1)) as engine:
        with pytest.raises(Exception, match="pip install no-such-package-here"):
            engine.load()
        (record,) = engine.run(named(save, "a"), QUICK)
        assert isinstance(record, Result)
        assert engine.info and engine.load() == engine.info


def _at_the_second_attempt(tried: Path) -> Enhancer:
    if tried.exists():
        return load_enhancer(SETUP, Limits())
    tried.touch()
    return _without_weights()


def _without_weights() -> Enhancer:
    PackagedFile("no-such-package-here", "weights.bin", 1, "0" * 64, "MIT").read()
    raise AssertionError


@pytest.mark.parametrize(
    ("cpus", "gpu_bytes", "wanted", "expected"),
    [
        ([2], [], None, Plan(1, 2, 0)),
        ([8], [], None, Plan(2, 4, 0)),
        ([16, 6], [], None, Plan(5, 4, 0)),
        ([0, 4], [], None, Plan(1, 4, 0)),
        ([2], [], 2, Plan(2, 1, 0)),
        ([1, 1], [], 1, Plan(1, 1, 0)),
        ([2], [], 5, Plan(5, 1, 0)),
        ([8], [4 * 2**30], None, Plan(1, 1, 1)),
        ([8], [16 * 2**30], None, Plan(2, 1, 0.5)),
        ([8, 8], [80 * 2**30, 16 * 2**30], None, Plan(4, 1, 0.5)),
        ([8], [16 * 2**30], 4, Plan(4, 1, 0.25)),
        ([0, 4], [], (1, 8), Plan(8, 4, 0)),
        ([16], [], (1, 2), Plan(2, 4, 0)),
    ],
)
def test_the_plan(
    cpus: list[int],
    gpu_bytes: list[int],
    wanted: int | tuple[int, int] | None,
    expected: Plan,
) -> None:
    least, most = wanted if isinstance(wanted, tuple) else (wanted or 1, wanted)
    assert Plan.of(cpus, gpu_bytes, least, most) == expected


def test_a_cluster_without_processors_is_a_sentence() -> None:
    with pytest.raises(OptionsError, match="No node of this Ray cluster has CPUs"):
        Plan.of([0], [], 1, None)


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


def test_a_cluster_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(OptionsError, match=r"nowhere\)\. Check RAY_ADDRESS"):
        RayEngine(_without_weights, Limits())


def test_without_ray_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "enhance.engines.ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionsError, match=r"pip install -r requirements-ray\.txt"):
        open_engine(SETUP, Limits(), {"ENHANCE_ENGINE": "ray"})


def test_the_same_command_on_two_replicas(save: Save, tmp_path: Path) -> None:
    for number in range(12):
        save(f"{number}.png", np.roll(astronaut()[::8, ::8], number, axis=1))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    pool = {"ENHANCE_ENGINE": "ray", "ENHANCE_REPLICAS": "2"}
    for out, environment in ("here", {}), ("there", pool):
        where = ["run", str(tmp_path), "-o", str(tmp_path / out)]
        done = subprocess.run(
            [sys.executable, "-m", "enhance", *where, "--restorer=none", "--background=lanczos"],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1, done.stderr
        assert done.stderr.count("failed: “broken.jpg”") == 1
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / out).glob("*.png")}
        for out in ("here", "there")
    )
    assert len(here) == 12
    assert here == there
