"""The loop of the command: what is not done yet goes to the engine, what comes back is saved."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path, PurePosixPath
from types import FrameType

from enhance.engines.base import Engine, Run, ahead, failure, unsaved
from enhance.errors import UnreadablePhoto
from enhance.files import sha256
from enhance.folders.ledger import Job, Place, Results
from enhance.folders.photos import Entry, Photos
from enhance.images import output_stem
from enhance.records import Failure, Limits, Options, Result, Source
from enhance.sentences import say
from enhance.show import Counts, Show

log = logging.getLogger(__name__)

_GRACE = 8  # seconds that the current photo may take after SIGTERM
_AHEAD = 4  # photos that are fetched before the engine asks for them
_BATCH = 1000  # photos of one run of the engine, which remembers the names of a run


@dataclass(frozen=True)
class _Task:
    """A photo that is not done yet. `fetched` gives its file, and the job with that one's hash."""

    index: int
    entry: Entry
    job: Job
    fetched: Future[tuple[Path, Job]]


class LongRun:
    """One run of any length, made of runs of the engine one after another; see `Run`.

    `index` of a record counts all its sources.
    """

    def __init__(self, engine: Engine, sources: Iterator[Source], options: Options) -> None:
        self._engine, self._sources, self._options = engine, sources, options
        self._stopped = False
        self._run: Run | None = None
        self._records = self._work()

    def __iter__(self) -> Iterator[Result | Failure]:
        return self

    def __next__(self) -> Result | Failure:
        return next(self._records)

    def close(self) -> None:
        """See `Run.close`."""
        self._stopped = True
        if self._run:
            self._run.close()

    def _work(self) -> Iterator[Result | Failure]:
        first, records = 0, _BATCH
        while records == _BATCH and not self._stopped:
            self._run = self._engine.run(islice(self._sources, _BATCH), self._options)
            if self._stopped:  # between those two lines
                self._run.close()
            records = 0
            with closing(self._run):
                for record in self._run:
                    records += 1
                    yield replace(record, index=first + record.index)
            first += records


def work(
    engine: Engine,
    photos: Photos,
    results: Results,
    options: Options,
    wanted: str,
    *,
    overwrite: bool,
    show: Show,
) -> tuple[Counts, int]:
    """Enhance what is not done yet, save it and tell of it.

    wanted: see `Job`. overwrite: also what is done. Returns how the photos ended, and the number
    of the signal that ended the work too early or 0.
    """
    start, total = time.perf_counter(), len(photos.listing)
    counts = Counts(left_out=dict(photos.listing.left_out))
    at_work: dict[int, _Task] = {}  # by their number among those that the engine was given
    numbers = count()

    def to_do() -> Iterator[_Task]:
        for index, entry in enumerate(photos.listing):
            job = Job(entry.source, entry.size, entry.version, wanted)
            place = None if overwrite else results.find(job)
            if place is None:
                yield _Task(index, entry, job, pool.submit(_fetch, photos, entry, job))
            else:
                counts.skipped += 1
                show.skipped(index, entry.source, entry.name, place)
                bar.update()

    def sources() -> Iterator[Source]:
        for task in ahead(to_do(), _AHEAD):
            try:
                path, _ = task.fetched.result()
            except OSError as error:
                over(task, task.job, _unread(task, error))
            else:
                at_work[next(numbers)] = task
                yield Source(path, task.entry.name)

    def over(task: _Task, job: Job, record: Result | Failure) -> None:
        saved = _save(results, task, job, replace(record, index=task.index))
        if isinstance(saved, Failure):
            counts.failed += 1
            show.failed(task.entry.source, saved)
        else:
            counts.done += 1
            show.done(task.entry.source, *saved)
        bar.update()

    with (
        show.bar("photo", total) as bar,
        ThreadPoolExecutor(_AHEAD, thread_name_prefix="fetch") as pool,
        closing(LongRun(engine, sources(), options)) as run,
        _signals(run, results) as stopped_by,
    ):
        for record in run:
            task = at_work.pop(record.index)
            path, job = task.fetched.result()
            photos.release(path)
            over(task, job, record)
    show.end(total, counts, time.perf_counter() - start)
    return counts, stopped_by[0] if stopped_by else 0


@contextmanager
def _signals(run: Run, results: Results) -> Iterator[list[int]]:
    """While the block runs, SIGTERM and SIGINT end the run, after what can be finished soon.

    Yields a list that gets the signal's number. A second signal ends the process at once.
    """
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def end(code: int) -> None:
        try:
            results.close()
        finally:
            os._exit(code)

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        put_back()
        run.close()
        # Loading, or a step of a large model, may take longer; what it works on is not lost.
        timer = threading.Timer(_GRACE, end, (128 + number,))
        timer.daemon = True
        timer.start()

    for number in before:
        signal.signal(number, stop)
    try:
        yield received
    finally:
        put_back()


def _fetch(photos: Photos, entry: Entry, job: Job) -> tuple[Path, Job]:
    path = photos.fetch(entry)
    return path, replace(job, sha256=_hash(path))


def _hash(path: Path) -> str:
    """Of the photo's bytes; "" when they cannot be read or are too many: decoding will say so."""
    try:
        readable = path.is_file() and path.stat().st_size <= Limits().max_bytes
        return sha256(path) if readable else ""
    except OSError:
        return ""


def _unread(task: _Task, error: OSError) -> Failure:
    name, reason = task.entry.name, error.strerror or str(error)
    sentence = say("“{name}” cannot be read: {reason}.", name=name, reason=reason)
    return failure(task.index, name, UnreadablePhoto(sentence))


def _save(
    results: Results, task: _Task, job: Job, record: Result | Failure
) -> tuple[Result, Place] | Failure:
    """The record, its file named as it is now, and where that is; or why there is none.

    Files are named after their photo alone, whatever else the engine's run has made.
    """
    if isinstance(record, Result):
        photo = PurePosixPath(task.entry.name)
        suffix = PurePosixPath(record.filename).suffix
        wanted = photo.with_name(f"{output_stem(photo.name)}_enhanced{suffix}")
        try:
            place = results.save(job, replace(record, filename=str(wanted)))
            name = photo.with_name(PurePosixPath(place).name)
            return replace(record, filename=str(name)), place
        except OSError as error:
            record = unsaved(record.index, record.name, error)
    try:
        results.fail(job, record)
    except OSError:  # the person is told of the failure all the same
        log.exception("a failure could not be recorded")
    return record
