"""The command's main loop: give the engine what is not done yet, save what comes back."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from types import FrameType

from enhance.engines.base import Engine, Run, ahead, failure
from enhance.errors import NotSaved, UnreadablePhoto
from enhance.files import sha256
from enhance.jobs.console import Counts, Show
from enhance.jobs.folder import Entry
from enhance.jobs.ledger import Job
from enhance.jobs.sources import LARGEST, Photos
from enhance.jobs.targets import Results
from enhance.options import Options
from enhance.pipeline.notes import name_taken
from enhance.records import Failure, Result, Source

log = logging.getLogger(__name__)

_GRACE = 8  # seconds that the current photo may take after SIGTERM
_SIGNALS = signal.SIGTERM, signal.SIGINT
_AHEAD = 4  # photos that are fetched before the engine asks for them


@dataclass(frozen=True)
class _Task:
    """A photo that is not done yet. fetched: its file, and `job` with the file's hash added."""

    index: int
    entry: Entry
    job: Job
    fetched: Future[tuple[Path, Job]]


def work(
    photos: Photos,
    engine: Engine,
    results: Results,
    options: Options,
    wanted: str,
    *,
    show: Show,
    overwrite: bool = False,
    watched: bool = False,
) -> tuple[Counts, int]:
    """Enhance the photos that are not done yet; save and report the results.

    wanted: see `Job`. overwrite: redo finished photos too. watched: the photos may still be
    arriving, and will be tried again: refuse those that are cut off, and stop as soon as a result
    cannot be saved. Returns the counts and the number of the signal that stopped the work, or 0.
    """
    start, total = time.perf_counter(), len(photos.entries)
    counts = Counts(left_out=dict(photos.left_out))
    at_work: dict[int, _Task] = {}  # by the index that the engine gives them
    numbers = count()

    def to_do() -> Iterator[_Task]:
        for index, entry in enumerate(photos.entries):
            job = Job(entry.source, entry.size, entry.version, wanted)
            done = None if overwrite else results.find(job)
            if done is None:
                yield _Task(index, entry, job, pool.submit(_fetch, photos, entry, job))
            else:
                counts.skipped += 1
                show.skipped(index, entry.source, entry.name, results.folder.place(done))
                bar.update()

    def sources() -> Iterator[Source]:
        for task in ahead(to_do(), _AHEAD):
            try:
                path, _ = task.fetched.result()
            except OSError as error:
                name = task.entry.name
                over(task, task.job, failure(0, name, UnreadablePhoto.because(name, error)))
            else:
                at_work[next(numbers)] = task
                yield Source(path, task.entry.name, number=task.index + 1, whole=watched)

    def over(task: _Task, job: Job, record: Result | Failure) -> None:
        name = task.entry.name
        saved, renamed = _save(results, name, job, replace(record, index=task.index))
        if isinstance(saved, Failure):
            counts.failed += 1
            show.failed(task.entry.source, saved)
            if watched and saved.kind == NotSaved.__name__:
                run.close()
        else:
            counts.done += 1
            show.done(task.entry.source, saved, results.folder.place(saved.filename), renamed)
        bar.update()

    with (
        show.bar("photo", total) as bar,
        ThreadPoolExecutor(_AHEAD, thread_name_prefix="fetch") as pool,
        closing(engine.run(sources(), options)) as run,
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
    """Within the block, SIGTERM and SIGINT end the run after a few seconds' grace.

    Yields a list to which the signal's number is added. A second signal kills the process at once.
    """
    received: list[int] = []

    def end() -> None:
        try:
            results.close()
        finally:
            os._exit(128 + received[0])

    def stop(number: int, _: FrameType | None) -> None:
        received.append(number)
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        run.close()
        # Loading models, or one step of a large one, may take longer. The photo in progress will
        # be done by the next run.
        timer = threading.Timer(_GRACE, end)
        timer.daemon = True
        timer.start()

    with handled_by(stop):
        yield received


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Within the block, SIGTERM and SIGINT call this."""
    before = [signal.signal(number, handler) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, earlier in zip(_SIGNALS, before, strict=True):
            signal.signal(number, earlier)


def _fetch(photos: Photos, entry: Entry, job: Job) -> tuple[Path, Job]:
    """The photo's file, and the job with its SHA-256, which remains "" if the file is unreadable or
    too large; decoding will report that."""
    path = photos.fetch(entry)
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= LARGEST:
            job = replace(job, sha256=sha256(path))
    return path, job


def _save(
    results: Results, name: str, job: Job, record: Result | Failure
) -> tuple[Result | Failure, bool]:
    """Save the record of a photo called `name`. Returns it with the name of its file, or the
    failure; and whether that name has got a number, which the last note then says."""
    if isinstance(record, Result):
        wanted = str(PurePosixPath(name).with_name(record.filename))
        try:
            file = results.save(job, replace(record, filename=wanted))
        except OSError as error:
            record = failure(record.index, name, NotSaved.because(name, error))
        else:
            report = record.report
            if file != wanted:
                report = replace(report, notes=(*report.notes, name_taken(wanted)))
            return replace(record, filename=file, report=report), file != wanted
    try:
        results.fail(job, record)
    except OSError:  # the failure is still shown to the user
        log.exception("a failure could not be recorded")
    return record, False
