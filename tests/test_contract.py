"""What every engine promises: tested with the local one and with two replicas on Ray."""

import io
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import Damage, astronaut, degrade
from enhance.engines.base import Engine
from enhance.engines.local import LocalEngine
from enhance.engines.ray import RayEngine
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline.enhancer import load_enhancer
from enhance.records import Failure, Result, Source
from enhance.repair.marks import as_picture
from tests.conftest import Save

QUICK = Options(restorer="none", background="lanczos", repair="off", tone="off", size="2x")
FACE = Options(restorer="bundled", background="lanczos", repair="off", tone="off")
DEADLINE = 120  # seconds until a test that hangs fails; nothing is timed


@pytest.fixture(scope="module", params=["local", "ray"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    load = partial(load_enhancer, Setup(device="cpu"), Limits())
    if request.param == "ray":
        request.getfixturevalue("cluster")
        engine: Engine = RayEngine(load, Limits(), replicas=(2, 2))
    else:
        engine = LocalEngine(load, Limits())
    with closing(engine):
        yield engine


def sort(run: Iterator[Result | Failure]) -> list[Result | Failure]:
    """All records of a run, in the order of its photos."""
    return sorted(run, key=lambda record: record.index)


def results(run: Iterator[Result | Failure]) -> list[Result]:
    """The same, where no photo may fail."""
    records = sort(run)
    assert all(isinstance(record, Result) for record in records), records
    return [record for record in records if isinstance(record, Result)]


def photos(save: Save, count: int, start: int = 0) -> list[Source]:
    """Small photos, each different."""
    return [
        save(f"{i}.png", np.roll(astronaut()[::8, ::8], i, axis=1))
        for i in range(start, start + count)
    ]


def test_the_engine_loads_the_real_models(engine: Engine) -> None:
    info = engine.load()
    assert info.device == "cpu"
    assert info.precision in ("fp32", "bf16")
    assert 0 < info.pixel_seconds < 1


def test_records_come_in_order_with_everything_in_them(engine: Engine, save: Save) -> None:
    sources = photos(save, 5)
    records = results(engine.run(sources, QUICK))
    assert [record.index for record in records] == list(range(5))
    assert [record.name for record in records] == [source.name for source in sources]
    assert len({record.data for record in records}) == 5
    for record in records:
        assert record.report.source_size == (64, 64)
        assert record.report.output_size == (128, 128)
        assert list(record.report.seconds) == ["decode", "upscale", "paste", "encode"]


def test_no_photos_give_no_records(engine: Engine) -> None:
    assert list(engine.run([], QUICK)) == []


def test_a_face_is_restored(engine: Engine, save: Save) -> None:
    source = save("face.jpg", degrade(astronaut(), Damage(down=2)), quality=95)
    (one,) = results(
        engine.run(
            [source], Options(restorer="bundled", background="lanczos", repair="off", tone="off")
        )
    )
    (two,) = results(
        engine.run(
            [source], Options(restorer="bundled", background="lanczos", repair="off", tone="off")
        )
    )
    assert len(one.report.faces) == 1
    assert one.report.seconds["restore"] > 0
    assert one.filename == "face_enhanced.jpg"
    assert one.data == two.data


def test_what_a_person_has_marked_is_repaired(engine: Engine, save: Save) -> None:
    (source,) = photos(save, 1)
    marks = np.zeros((64, 64), bool)
    marks[10:13, 5:60] = True
    options = replace(QUICK, size="1x", repair="on")
    (one,) = results(engine.run([replace(source, marks=as_picture(marks))], options, viewed=True))
    assert one.report.repaired == pytest.approx(marks.mean(), abs=1e-6)
    assert one.marks == as_picture(marks)
    with Image.open(source.path) as before, Image.open(io.BytesIO(one.data)) as after:
        changed = (np.asarray(before) != np.asarray(after)).any(2)
    assert changed[marks].any() and not changed[~marks].any()


def test_a_corrupt_photo_harms_no_neighbor(engine: Engine, save: Save, tmp_path: Path) -> None:
    good = photos(save, 4)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    bad, gone = Source.of(tmp_path / "bad.jpg"), Source.of(tmp_path / "gone.jpg")
    records = sort(engine.run([good[0], bad, good[1], gone, gone, good[2], good[3], bad], QUICK))
    failures = [record for record in records if isinstance(record, Failure)]
    assert [failure.index for failure in failures] == [1, 3, 4, 7]
    assert {failure.kind for failure in failures} == {"UnreadablePhoto"}
    assert all(f"“{failure.name}”" in failure.reason for failure in failures)
    alone = results(engine.run(good, QUICK))
    assert [r.data for r in records if isinstance(r, Result)] == [r.data for r in alone]


def test_files_are_named_after_their_photos(engine: Engine, save: Save) -> None:
    (source,) = photos(save, 1)
    names = ["a.png", "a.png", "x/A.PNG", "a?.png", "a", "", "\0", "b.gif", "straße.png"]
    records = results(engine.run([replace(source, name=name) for name in names], QUICK))
    stems = ["a", "a", "A", "a", "a", "photo", "photo", "b", "straße"]
    assert [record.filename for record in records] == [f"{stem}_enhanced.png" for stem in stems]
    assert [record.name for record in records] == names


def test_only_a_few_photos_are_read_ahead(engine: Engine, save: Save) -> None:
    taken = 0
    (source,) = photos(save, 1)

    def endless() -> Iterator[Source]:
        nonlocal taken
        while True:
            taken += 1
            yield source

    with closing(engine.run(endless(), QUICK)) as run:
        assert taken == 0
        for k in range(1, 12):
            next(run)
            assert k <= taken <= k + 3


def test_two_runs_at_once_each_get_their_own(engine: Engine, save: Save) -> None:
    twice, thrice = photos(save, 4), photos(save, 4, start=10)
    larger = replace(QUICK, size="3x")
    alone = [r.data for r in results(engine.run(twice, QUICK))]
    alone_larger = [r.data for r in results(engine.run(thrice, larger))]
    pairs = list(zip(engine.run(twice, QUICK), engine.run(thrice, larger), strict=True))
    for run, expected in zip(zip(*pairs, strict=True), (alone, alone_larger), strict=True):
        assert [r.data for r in sort(iter(run)) if isinstance(r, Result)] == expected

    found: dict[int, list[bytes]] = {}
    jobs = [(twice, QUICK), (thrice, larger)] * 2

    def work(i: int) -> None:
        found[i] = [r.data for r in results(engine.run(*jobs[i]))]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert found == {0: alone, 1: alone_larger, 2: alone, 3: alone_larger}


def test_runs_take_turns(engine: Engine, save: Save) -> None:
    engine.load()
    (source,) = photos(save, 1)
    long = engine.run([source] * 50, QUICK)
    assert isinstance(next(long), Result)
    assert len(results(engine.run([source], QUICK))) == 1
    assert len(results(long)) == 49, "the short one did not wait for these"


def test_closing_one_run_leaves_the_others(engine: Engine, save: Save) -> None:
    stopped, other = engine.run(photos(save, 4), QUICK), engine.run(photos(save, 4), QUICK)
    next(stopped)
    next(other)
    stopped.close()
    assert len(results(other)) == 3


def test_a_run_closed_before_it_began_gives_nothing(engine: Engine, save: Save) -> None:
    run = engine.run(photos(save, 2), QUICK)
    run.close()
    assert list(run) == []
