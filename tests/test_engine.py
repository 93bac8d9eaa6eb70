import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.photos import astronaut
from enhance.engines.base import Run
from enhance.engines.local import LocalEngine
from enhance.errors import ModelFailed
from enhance.limits import Limits
from enhance.models.files import PackagedFile
from enhance.networks import heap
from enhance.options import Options
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhanced, Enhancer
from enhance.records import EngineInfo, Failure, Photo, Result, Source, StopCheck
from tests.conftest import Save
from tests.enhancers import until

QUICK = Options(restorer="none", background="lanczos", repair="off", tone="off", size="2x")
SLOW = Options(restorer="none", background="realesrgan", repair="off", tone="off", tile=64)
FACE = Options(restorer="bundled", background="lanczos", repair="off", tone="off")
INFO = EngineInfo("cpu", "fp32", 1e-4)
DEADLINE = 120  # seconds until a test that hangs fails; nothing is timed


def results(run: Run) -> list[Result]:
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
    """Counts stop checks and tells when the first photo is being worked on."""

    def __init__(self, models: ResidentModels) -> None:
        super().__init__(models, Limits(), INFO)
        self.calls = 0
        self.working = threading.Event()

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        def counted() -> None:
            self.calls += 1
            if self.calls > 5:
                self.working.set()
            stop_check()

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


def test_missing_weights_fail_every_photo_with_the_sentence(save: Save) -> None:
    def load() -> Enhancer:
        PackagedFile("no-such-package-here", "weights.bin", 1, "0" * 64, "MIT").read()
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


def test_a_broken_model_fails_only_its_photo(models: ResidentModels, save: Save) -> None:
    class Moody(Enhancer):
        def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
            if photo.name == "1.png":
                raise RuntimeError("shape mismatch in /secret/path")
            return super().__call__(photo, options, stop_check)

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


# Flow


class Gated(Enhancer):
    """Notes the photos in the order in which the model gets them; works only while let through."""

    def __init__(self, models: ResidentModels) -> None:
        super().__init__(models, Limits(), INFO)
        self.begun: list[str] = []
        self.open = threading.Event()
        self.held = False

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        self.begun.append(photo.name)
        self.held = not self.open.is_set()
        assert self.open.wait(DEADLINE)
        return super().__call__(photo, options, stop_check)


@pytest.mark.parametrize("served", [0, 1, 6])
def test_a_run_that_comes_later_waits_for_the_photo_in_progress(
    models: ResidentModels, save: Save, served: int
) -> None:
    (source,) = photos(save, 1)
    enhancer = Gated(models)

    with engine_over(lambda: enhancer) as engine:
        queue = engine._model._queue
        first = engine.run([replace(source, name=f"{i}") for i in range(served + 5)], QUICK)
        enhancer.open.set()
        records = [next(first) for _ in range(served)]
        enhancer.open.clear()
        long = threading.Thread(target=lambda: records.extend(first))
        long.start()
        # As far ahead as it ever gets: one photo at work, one behind it.
        until(lambda: enhancer.held and len(queue.waiting) == 1)
        begun = len(enhancer.begun)
        others: list[Result | Failure] = []
        second = engine.run([replace(source, name="short")], QUICK)
        short = threading.Thread(target=lambda: others.extend(second))
        short.start()
        until(lambda: len(queue.waiting) == 2)
        enhancer.open.set()
        for thread in (long, short):
            thread.join(DEADLINE)
            assert not thread.is_alive()

    assert [record.name for record in others] == ["short"]
    assert len(records) == served + 5
    assert enhancer.begun.index("short") == begun


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


class Seen(Watched):
    """Knows which photos are still in memory."""

    def __init__(self, models: ResidentModels) -> None:
        super().__init__(models)
        self.photos: list[weakref.ref[Photo]] = []

    def __call__(self, photo: Photo, options: Options, stop_check: StopCheck) -> Enhanced:
        self.photos.append(weakref.ref(photo))
        if photo.name == "broken":
            raise ModelFailed("It saw nothing.")
        return super().__call__(photo, options, stop_check)

    @property
    def left(self) -> int:
        """How many there are."""
        return sum(photo() is not None for photo in self.photos)


@pytest.mark.parametrize("name", ["whole", "broken"])
def test_a_run_that_is_gone_leaves_no_photo_behind(
    models: ResidentModels, save: Save, name: str
) -> None:
    enhancer = Seen(models)
    with engine_over(lambda: enhancer) as engine, no_collector():
        run = engine.run([replace(source, name=name) for source in photos(save, 4)], QUICK)
        next(run)
        until(lambda: len(enhancer.photos) == 2)
        run.close()
        del run
        until(lambda: not enhancer.left)


def test_a_photo_that_was_stopped_is_not_left_behind(models: ResidentModels, save: Save) -> None:
    enhancer = Seen(models)
    large = save("large.png", np.tile(astronaut(), (2, 2, 1)))
    with engine_over(lambda: enhancer) as engine, no_collector():
        run = engine.run([large, large], SLOW)
        thread = threading.Thread(target=partial(next, run, None))
        thread.start()
        assert enhancer.working.wait(DEADLINE)
        run.close()
        thread.join(DEADLINE)
        del run, thread
        until(lambda: not enhancer.left)


@contextmanager
def no_collector() -> Iterator[None]:
    """Nothing frees what refers to itself."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_memory_is_given_back_when_no_run_is_left(
    models: ResidentModels, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    with engine_over(lambda: Enhancer(models, Limits(), INFO)) as engine:
        engine.load()
        given: list[str] = []
        monkeypatch.setattr(heap, "give_back", lambda: given.append("back"))
        long, short = (engine.run(photos(save, count), QUICK) for count in (2, 1))
        next(long)
        assert len(results(short)) == 1
        assert not given
        assert len(results(long)) == 1
        assert given == ["back"]


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
