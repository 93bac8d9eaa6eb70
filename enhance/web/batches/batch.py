"""One person's batch: the photos, their results so far and the files of both.

A batch outlives the requests that work on it, so that batches can take turns and results can be
viewed later. Its files are in a folder with an unguessable name.
"""

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from enhance.engines.base import Engine, Run, failure
from enhance.errors import EnhanceError, NotSaved
from enhance.files import linked, numbered
from enhance.limits import Limits
from enhance.networks import heap
from enhance.options import Options
from enhance.pipeline.estimates import Estimator
from enhance.pipeline.layers import repaste
from enhance.pipeline.reports import Outcome
from enhance.records import Failure, Result
from enhance.web.batches.disk_shares import delete
from enhance.web.batches.entries import Entry, Job, Picks, Version, saving
from enhance.web.log import about
from enhance.web.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Batch:
    """Photos on their way through the engine; results are saved in `folder` as they arrive.

    lock: held while the photos' states change, or the files that an archive takes.
    adding: held while photos are added.
    """

    key: str
    session: str
    folder: Path
    entries: list[Entry]
    engine: Engine
    metrics: Metrics
    estimator: Estimator
    limits: Limits
    request: str  # id of the request that made the batch, for the log
    client: str
    viewed: bool  # on the page, which needs previews and layers
    touched: float = field(default_factory=time.monotonic)
    lock: threading.RLock = field(default_factory=threading.RLock)
    adding: threading.Lock = field(default_factory=threading.Lock)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # of its photos
    options_at_work: Options = field(init=False)
    progressed: float = 0.0  # when the photo at work was begun
    _begun: float = 0.0
    _run: Run | None = None
    _at_work: list[Entry] = field(default_factory=list)  # the photos of `_run`
    _jobs: list[Job] = field(default_factory=list)  # that are not finished, first that of `_run`
    _changes: list[tuple[Entry, Callable[[], None]]] = field(default_factory=list)

    @property
    def finished(self) -> list[Entry]:
        """The entries that have a result, in the order of the photos."""
        return [entry for entry in self.entries if entry.versions]

    @property
    def remaining(self) -> list[Entry]:
        """The entries that are not finished yet."""
        return [entry for entry in self.entries if entry.pending]

    @property
    def busy(self) -> bool:
        """It is being worked on, or photos are being added."""
        return self.adding.locked() or bool(self.remaining)

    @property
    def changing(self) -> list[Entry]:
        """The finished entries that wait for a change; see `later`."""
        return [entry for entry, _ in self._changes]

    @property
    def due(self) -> list[Entry]:
        """What to work on next: entries that are new or were stopped; all, if there are none."""
        return [each for each in self.entries if each.state in ("new", "stopped")] or self.entries

    def begin(self, entries: list[Entry], *several: Options) -> bool:
        """Give these photos to the engine, before those that still wait but after those that it is
        at work on; `records` yields them.

        several: if there are more than one, the photos are enhanced with each of them, and
            `records` ends after each, so that others get their turn.

        Returns whether there was work left, so that a turn goes on with the batch anyway.
        """
        with self.lock:
            working, jobs = bool(self.remaining), [([*entries], options) for options in several]
            if at_work := [entry for entry in self._at_work if entry.state == "running"]:
                (left, used), *later = self._jobs
                rest = [entry for entry in left if entry not in at_work]
                self._jobs = [(at_work, used), *jobs, (rest, used), *later]
                for entry in entries:
                    entry.wait()
            else:
                self._start([*jobs, *self._jobs])
            return working

    def alter(self, change: Callable[[Options], Options]) -> None:
        """Change the options for the photos that wait."""
        with self.lock:
            jobs = [(entries, change(options)) for entries, options in self._jobs]
            if jobs != self._jobs:
                self._start(jobs)

    def later(self, entry: Entry, change: Callable[[], None]) -> bool:
        """Do something with a finished photo in the batch's next turn; `records` yields it then.

        change: may raise EnhanceError. Returns as `begin` does.
        """
        with self.lock:
            working = bool(self.remaining)
            entry.wait()
            self._changes.append((entry, change))
            return working

    def change(
        self,
        entry: Entry,
        version: Version,
        *,
        keep: Collection[int] | None = None,
        **strengths: float,
    ) -> None:
        """Make a version anew from its layers, without a model: other faces or other strengths.

        keep: the faces (indices in the report) to restore; None: as they are. strengths: `weight`
        and `background_weight`, of the options. Raises EnhanceError, also if the result cannot be
        saved.
        """
        assert version.layers is not None
        old = {version.file, version.shown, version.thumbnail, version.detail}
        options = replace(version.options, **strengths)  # type: ignore[arg-type]
        kept = version.report.restored if keep is None else keep
        with saving(entry.source.name):
            blob = version.layers.read_bytes()
            done = repaste(entry.source, blob, version.report, options, self.limits, kept)
            heap.give_back()
            # Under a new path, because browsers cache what they have loaded.
            file = entry.save(version.file.name, done.data)
            with self.lock:  # so that an archive gets the old file or the new one
                entry.picture(version, file, done.views)
                version.report = done.report
        version.options = options
        for path in old - {version.file, version.shown, version.thumbnail, version.detail}:
            path.unlink(missing_ok=True)
        self.touched = time.monotonic()

    def _start(self, jobs: list[Job]) -> None:
        """Give the engine the first of these jobs; the others follow. Holds the lock."""
        self._jobs = jobs
        entries, self.options_at_work = jobs[0]
        self._at_work = [*entries]
        for some, _ in jobs:
            for entry in some:
                entry.wait()
        if self._run:
            self._run.close()
        sources = [
            replace(entry.source, number=self.entries.index(entry) + 1, marks=entry.marks)
            for entry in entries
        ]
        self._run = self.engine.run(
            sources, self.options_at_work, viewed=self.viewed, client=self.client
        )
        self._begun = time.monotonic()

    def records(self) -> Iterator[Entry]:
        """Yield each entry when it is finished.

        The generator may be dropped; calling this again goes on with the rest.
        """
        with self.lock:
            self._mark_running()
        return about(self.request, self._work())

    def _work(self) -> Iterator[Entry]:
        while True:
            with self.lock:
                if not self._changes:
                    break
                entry, change = self._changes.pop(0)
            try:
                change()
            except EnhanceError as error:
                entry.failure = failure(self.entries.index(entry), entry.source.name, error)
            entry.state = "failed" if entry.failure else "done"
            yield entry
        entries = self._at_work
        for record in self._run or ():
            if self._at_work is not entries:
                return  # `begin` or `abandon` was called while this photo was in progress
            self.touched = time.monotonic()
            entry = entries[record.index]
            if record.index == 0:
                own = sum(record.report.seconds.values()) if isinstance(record, Result) else 0.0
                self.metrics.waited(self.touched - self._begun - own)
            if not self._take(entry, record, entries):
                return
            yield entry
        with self.lock:
            if self._at_work is entries:
                self.abandon()

    def remove(self, index: int) -> bool:
        """Take a photo out and delete its files, unless the batch is being worked on. Returns
        whether it is out."""
        with self.lock:
            if self.remaining:
                return False
            entry = self.entries.pop(index)
            delete(entry.folder)
            return True

    def stop(self) -> None:
        """Stop the work before its next tile; finished photos stay. Safe from any thread."""
        with self.lock:
            self._changes.clear()
            if self._run:
                self._run.close()

    def abandon(self) -> None:
        """Stop, and mark what is not finished as stopped: nothing works on it any more."""
        with self.lock:
            self.stop()
            self._jobs, self._at_work = [], []
            self._run = None  # frees the last photo's pixels
            for entry in self.remaining:
                entry.state = "done" if entry.versions else "stopped"

    def versions(self, picks: Picks) -> list[Version | None]:
        """The version of each photo that counts. Picks that do not exist are ignored."""
        return [entry.numbered(picks.get(i, -1)) for i, entry in enumerate(self.entries)]

    def archive(self, folder: Path, picks: Picks) -> list[Path]:
        """Link the results so far into an empty folder, where they stay as they are whatever
        becomes of the batch meanwhile. Returns the links; their names are unique."""
        self.touched = time.monotonic()
        with self.lock:
            files = [version.file for version in self.versions(picks) if version]
            return [linked(file, folder / file.name) for file in files]

    def outcomes(self, picks: Picks) -> list[Outcome]:
        """The outcome of every photo that has one."""
        found = (
            version.report if version else entry.failure
            for entry, version in zip(self.entries, self.versions(picks), strict=False)
        )
        return [outcome for outcome in found if outcome]

    def _mark_running(self) -> None:
        """Mark the photos that the engine has begun with, just now."""
        self.progressed = time.monotonic()
        for entries, _ in self._jobs[:1]:
            for entry in entries[: self.engine.running]:
                entry.state = "running"

    def _take(self, entry: Entry, record: Result | Failure, entries: list[Entry]) -> bool:
        """Save a record of the photos `entries`, and go on with what is left. Returns whether it
        counts; if `begin` or `abandon` was called meanwhile, the photo is enhanced anew."""
        version = None
        if isinstance(record, Result):
            # With a number if a result of another photo has the name; some systems ignore case.
            others = (each for each in self.entries if each is not entry)
            taken = {one.file.name.casefold() for each in others for one in each.versions}
            name = next(each for each in numbered(record.filename) if each.casefold() not in taken)
            try:
                with saving(record.name):
                    version = entry.new_version(self.options_at_work, record, name)
            except NotSaved as error:
                record = failure(record.index, record.name, error)
        with self.lock:
            if self._at_work is not entries:
                return False
            self.metrics.count(record)
            if isinstance(record, Failure):
                log.info("photo %d failed: %s", self.entries.index(entry), record.kind)
                entry.failure, entry.state = record, "failed"
            elif version:
                self.estimator.learn(record.report)
                entry.versions.append(version)
                entry.state = "done"
            next(some for some, _ in self._jobs if entry in some).remove(entry)
            first, self._jobs = self._jobs[0], [job for job in self._jobs if job[0]]
            if self._jobs and self._jobs[0] is not first:
                self._start(self._jobs)
            else:
                self._mark_running()
            return True
