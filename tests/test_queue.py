"""The order of service: the rule, and that the engine in this process keeps to it."""

import threading
from contextlib import closing
from pathlib import Path

import pytest

from enhance.engines.local import LocalEngine
from enhance.engines.queue import PhotoQueue
from enhance.errors import Cancelled
from enhance.limits import Limits
from enhance.records import Failure, Result
from tests.conftest import Save
from tests.enhancers import DEADLINE, QUICK, Telling, begun, begun_in_order, named, until


def put(queue: PhotoQueue[str], *photos: str) -> None:
    """Photos are called by their client and, from 1, their number in a run."""
    for photo in photos:
        client, first = photo[:-1], photo.endswith("1")
        queue.put(photo, client, first=first, yields=client == "folder")


def in_order(queue: PhotoQueue[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue.waiting))]


def test_people_first_and_clients_in_turn() -> None:
    queue: PhotoQueue[str] = PhotoQueue()
    put(queue, "folder1", "folder2", "a1", "a2", "b1", "a3", "b2", "c1")
    assert in_order(queue) == ["a1", "b1", "c1", "a2", "b2", "a3", "folder1", "folder2"]
    with pytest.raises(IndexError):
        queue.take()


def test_whoever_comes_new_waits_for_the_photo_in_progress_only() -> None:
    queue: PhotoQueue[str] = PhotoQueue()
    put(queue, *("flood1" for _ in range(50)))
    for _ in range(5):
        assert queue.take() == "flood1"
    put(queue, "new1", "flood1", "new2")
    assert in_order(queue)[:4] == ["new1", "flood1", "new2", "flood1"]


def test_a_new_run_does_not_wait_for_the_batches_of_its_client() -> None:
    queue: PhotoQueue[str] = PhotoQueue()
    put(queue, "a1", "a2", "a3")
    assert [queue.take(), queue.take()] == ["a1", "a2"]
    put(queue, "a4", "a1")
    assert in_order(queue) == ["a1", "a3", "a4"]


@pytest.mark.parametrize(("replicas", "before"), [(1, 16), (4, 64)])
def test_a_stream_of_new_clients_does_not_hold_up_a_batch_for_ever(
    replicas: int, before: int
) -> None:
    queue: PhotoQueue[str] = PhotoQueue(replicas)
    put(queue, "batch1", "batch2")
    taken = [queue.take()]
    for number in range(200):
        put(queue, f"new{number}-1")
        taken.append(queue.take())
    assert taken.index("batch2") == before


def test_clients_are_not_remembered_for_ever() -> None:
    queue: PhotoQueue[str] = PhotoQueue()
    for number in range(5000):
        put(queue, f"client{number}-1")
        queue.take()
    assert len(queue._last) <= 1001


def test_the_first_photo_of_a_run_goes_before_the_others_of_earlier_runs(
    save: Save, notes: Path
) -> None:
    with closing(LocalEngine(lambda: Telling(notes), Limits())) as engine:
        runs = [named(save, "slow", "a2", "a3", "a4"), named(save, "b1", "b2"), named(save, "c1")]
        records: list[Result | Failure] = []
        threads = []
        for waiting, sources in zip((1, 3, 4), runs, strict=True):
            run = engine.run(sources, QUICK)
            threads.append(threading.Thread(target=lambda run=run: records.extend(run)))  # type: ignore[misc]
            threads[-1].start()
            (held,) = begun(notes, "slow")
            until(lambda waiting=waiting: len(engine._model._queue.waiting) == waiting)  # type: ignore[misc]
        held.unlink()
        for thread in threads:
            thread.join(DEADLINE)
    assert len(records) == 7 and all(isinstance(record, Result) for record in records), records
    assert begun_in_order(notes)[:5] == ["slow", "b1", "c1", "a2", "b2"]


def test_a_closed_engine_leaves_nobody_waiting(save: Save, notes: Path) -> None:
    engine = LocalEngine(lambda: Telling(notes), Limits())
    runs = [engine.run(named(save, name, "next"), QUICK) for name in ("slow", "other")]
    records: list[Result | Failure] = []
    threads = [threading.Thread(target=lambda run=run: records.extend(run)) for run in runs]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    (held,) = begun(notes, "slow")
    closing_thread = threading.Thread(target=engine.close)
    closing_thread.start()
    until(engine._closed.is_set)
    held.unlink()
    for thread in (*threads, closing_thread):
        thread.join(DEADLINE)
        assert not thread.is_alive()
    assert not any(
        isinstance(record, Failure) and record.kind != Cancelled.__name__ for record in records
    )
