"""The command's main loop: give the engine what is not done yet, save what comes back."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from types import FrameType
from uuid import uuid4

from enhance.engines.base import Engine, Run, ahead, failure
from enhance.errors import NotSaved, PhotoError, UnreadablePhoto
from enhance.files import sha256
from enhance.jobs.console import Counts, Show
from enhance.jobs.folder import Entry, Folder
from enhance.jobs.results import Results
from enhance.jobs.sources import Photos
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos.decode_limits import check_bytes
from enhance.pipeline.notes import name_taken
from enhance.records import Failure, Result, Source

log = logging.getLogger(__name__)

_GRACE = 8  # seconds that the current photo may take after SIGTERM
_SIGNALS = signal.SIGTERM, signal.SIGINT
_AHEAD = 4  # photos that are fetched before the engine asks for them
_LIMITS = Limits()


@dataclass(frozen=True)
class _Task:
    """A photo that is not done yet. fetched: see `_fetch`."""

    index: int
    entry: Entry
    fetched: Future[tuple[Path, str]]


def work(
    photos: Photos,
    engine: Engine,
    results: Results,
    options: Options,
    *,
    show: Show,
    overwrite: bool = False,
    watched: bool = False,
) -> tuple[Counts, int]:
    """Enhance the photos that are not done yet; save and report the results.

    overwrite: redo finished photos too. watched: the photos may still be arriving, and will be
    tried again: refuse those that are cut off, and stop as soon as a result cannot be saved.
    Returns the counts and the number of the signal that stopped the work, or 0.
    """
    start, total = time.perf_counter(), len(photos.entries)
    counts = Counts(left_out=dict(photos.left_out))
    at_work: dict[int, _Task] = {}  # by the index that the engine gives them
    numbers = count()
    copies = TemporaryDirectory(prefix="enhance-") if photos.store else nullcontext("")

    def to_do() -> Iterator[_Task]:
        for index, entry in enumerate(photos.entries):
            done = None if overwrite else results.find(entry)
            if done is None:
                yield _Task(index, entry, pool.submit(_fetch, photos.store, entry, folder))
            else:
                counts.skipped += 1
                show.skipped(index, entry.source, entry.name, results.folder.place(done))
                bar.update()

    def sources() -> Iterator[Source]:
        for task in ahead(to_do(), _AHEAD):
            try:
                path, _ = task.fetched.result()
            except PhotoError as error:
                over(task, "", failure(0, task.entry.name, error))
            else:
                at_work[next(numbers)] = task
                yield Source(path, task.entry.name, number=task.index + 1, whole=watched)

    def over(task: _Task, digest: str, record: Result | Failure) -> None:
        saved, renamed = _save(results, task.entry, digest, replace(record, index=task.index))
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
        copies as folder,
        ThreadPoolExecutor(_AHEAD, thread_name_prefix="fetch") as pool,
        closing(engine.run(sources(), options)) as run,
        _signals(run, results) as stopped_by,
    ):
        for record in run:
            task = at_work.pop(record.index)
            path, digest = task.fetched.result()
            if photos.store:
                path.unlink(missing_ok=True)
            over(task, digest, record)
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


def _fetch(store: Folder | None, entry: Entry, folder: str) -> tuple[Path, str]:
    """The photo's file, which is a copy in `folder` if it comes from a store, and its SHA-256, or
    "" if it is unreadable or too large; decoding will report that. Raises PhotoError."""
    path = _copy(store, entry, folder) if store else Path(entry.source)
    with suppress(OSError):
        if path.is_file() and path.stat().st_size <= _LIMITS.max_bytes:
            return path, sha256(path)
    return path, ""


def _copy(store: Folder, entry: Entry, folder: str) -> Path:
    """A new file in `folder` with the contents of a store's photo. Raises PhotoError."""
    check_bytes(entry.name, entry.size, _LIMITS)
    path = Path(folder, uuid4().hex)
    try:
        store.fetch(entry.name, str(path))
    except OSError as error:
        path.unlink(missing_ok=True)  # what has arrived may be large
        raise UnreadablePhoto.because(entry.name, error) from error
    return path


def _save(
    results: Results, entry: Entry, digest: str, record: Result | Failure
) -> tuple[Result | Failure, bool]:
    """Save the record of a photo. Returns it with the name of its file, or the failure; and whether
    that name has got a number, which the last note then says."""
    if isinstance(record, Result):
        wanted = str(PurePosixPath(entry.name).with_name(record.filename))
        try:
            file = results.save(entry, digest, replace(record, filename=wanted))
        except OSError as error:
            record = failure(record.index, entry.name, NotSaved.because(entry.name, error))
        else:
            report = record.report
            if file != wanted:
                report = replace(report, notes=(*report.notes, name_taken(wanted)))
            return replace(record, filename=file, report=report), file != wanted
    try:
        results.fail(entry, digest, record)
    except OSError:  # the failure is still shown to the user
        log.exception("a failure could not be recorded")
    return record, False
