"""One person's batch: the photos, their results so far and the files of both.

A batch outlives the requests that work on it, so that batches can take turns and results can be
viewed later. Its files are in a folder with an unguessable name.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from enhance.engines.base import Engine, Run, failure
from enhance.errors import NotSaved
from enhance.files import linked, numbered
from enhance.limits import Limits
from enhance.options import Options
from enhance.pipeline.estimates import Estimator
from enhance.pipeline.layers import repaste, separated
from enhance.pipeline.reports import Outcome
from enhance.records import Failure, Result
from enhance.repair.marks import Stroke, as_picture, brushed, from_picture
from enhance.web.batches.entries import BatchFiles, Entry, Version
from enhance.web.log import about
from enhance.web.metrics import Metrics

log = logging.getLogger(__name__)

Picks = Mapping[int, int]
"""By photo, the version that counts, both by their indices; for other photos it is the newest."""


@dataclass
class Batch:
    """Photos on their way through the engine; results are saved in `folder` as they arrive."""

    key: str
    session: str
    folder: Path
    entries: list[Entry]
    engine: Engine
    metrics: Metrics
    estimator: Estimator
    request: str  # id of the request that made the batch, for the log
    client: str
    take: Callable[[int], None]  # raises OSError if there is no room for so many more bytes
    viewed: bool  # on the page, which needs previews and layers
    touched: float = field(default_factory=time.monotonic)
    adding: threading.Lock = field(default_factory=threading.Lock)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))  # of its photos
    files: BatchFiles = field(init=False)
    options_at_work: Options = field(init=False)
    _begun: float = 0.0
    _run: Run | None = None
    _at_work: list[Entry] = field(default_factory=list)
    _taking: threading.Lock = field(default_factory=threading.Lock)
    _later: tuple[Options, ...] = ()
    _names: dict[str, Entry] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = BatchFiles(self.folder, self.take)

    @property
    def finished(self) -> list[Entry]:
        """The entries that have a result, in the order of the photos."""
        return [entry for entry in self.entries if entry.versions]

    @property
    def remaining(self) -> list[Entry]:
        """The entries that are not finished yet."""
        return [entry for entry in self.entries if entry.state in ("waiting", "running")]

    @property
    def stopped(self) -> list[Entry]:
        """The entries that were not finished when the batch was stopped."""
        return [entry for entry in self.entries if entry.state == "stopped"]

    @property
    def due(self) -> list[Entry]:
        """What to work on next: entries that are new or were stopped; all, if there are none."""
        return [each for each in self.entries if each.state in ("new", "stopped")] or self.entries

    def begin(self, entries: list[Entry], *several: Options) -> None:
        """Give these photos to the engine; `records` yields them.

        several: if there are more than one, the photos are enhanced with each of them, and
            `records` ends after each, so that others get their turn.
        """
        options, *later = several
        sources = [
            replace(entry.source, number=self.index(entry) + 1, marks=entry.marks)
            for entry in entries
        ]
        with self._taking:
            self._at_work = [*entries]
            self._later = tuple(later)
            self.options_at_work = options
            for entry in entries:
                entry.state, entry.failure = "waiting", None
            self._mark_running()
            if self._run:
                self._run.close()
            self._run = self.engine.run(sources, options, viewed=self.viewed, client=self.client)
            self._begun = time.monotonic()

    def records(self) -> Iterator[Entry]:
        """Yield each entry when it is finished.

        The generator may be dropped; calling this again goes on with the rest.
        """
        return about(self.request, self._work())

    def _work(self) -> Iterator[Entry]:
        entries = self._at_work
        for record in self._run or ():
            if self._at_work is not entries:
                return  # `begin` was called again while this photo was in progress
            self.touched = time.monotonic()
            entry = entries[record.index]
            if record.index == 0:
                own = sum(record.report.seconds.values()) if isinstance(record, Result) else 0.0
                self.metrics.waited(self.touched - self._begun - own)
            self._take(entry, record, entries)
            if self._later and not self.remaining:
                self.begin(entries, *self._later)
            yield entry
        if self._at_work is entries:
            self.abandon()

    def remove(self, index: int) -> bool:
        """Take a photo out, unless the batch is being worked on. Returns whether it is out."""
        if self.remaining:
            return False
        del self.entries[index]
        return True

    def stop(self) -> None:
        """Stop the work before its next tile; finished photos stay. Safe from any thread."""
        if run := self._run:  # read once: another thread may call `abandon` meanwhile
            run.close()

    def abandon(self) -> None:
        """Stop, and mark what is not finished as stopped: nothing works on it any more."""
        self.stop()
        self._later = ()
        self._run = None  # frees the last photo's pixels
        for entry in self.remaining:
            entry.state = "done" if entry.versions else "stopped"

    def change(
        self,
        entry: Entry,
        version: Version,
        limits: Limits,
        *,
        keep: Collection[int] | None = None,
        weight: float | None = None,
        background_weight: float | None = None,
    ) -> None:
        """Make a version anew without running a model: other faces or other strengths.

        Arguments that are None change nothing. keep: the faces (indices in the report) to restore.
        Raises EnhanceError, also if the result cannot be saved.
        """
        assert version.layers is not None
        old = {version.file, version.shown, version.thumbnail, version.detail}
        options = version.options
        if weight is not None:
            options = replace(options, weight=weight)
        if background_weight is not None:
            options = replace(options, background_weight=background_weight)
        kept = version.report.restored if keep is None else keep
        with self._saving(entry):
            blob = version.layers.read_bytes()
            done = repaste(entry.source, blob, version.report, options, limits, kept)
            # Under a new path, because browsers cache what they have loaded.
            file = self.files.save(version.file.name, done.data)
            with self._taking:  # so that an archive gets the old file or the new one
                self.files.picture(version, file, done.views)
                version.report = done.report
        version.options = options
        if keep is not None and version.over:  # these pictures show the previous faces
            old |= {*version.over}
            version.over = None
        for path in old - {version.file, version.shown, version.thumbnail, version.detail}:
            path.unlink(missing_ok=True)
        self.touched = time.monotonic()

    def lay_over(self, entry: Entry, version: Version, limits: Limits) -> None:
        """Make `over` of a version unless it exists. Raises EnhanceError as `change` does."""
        assert version.layers is not None
        self.touched = time.monotonic()
        if version.over:
            return
        with self._saving(entry):
            blob = version.layers.read_bytes()
            background, faces = separated(
                entry.source, blob, version.report, limits, version.report.restored
            )
            version.over = (
                self.files.save("background.jpg", background),
                self.files.save("faces.png", faces),
            )

    def mark(self, entry: Entry, version: Version, strokes: Iterable[Stroke]) -> None:
        """Change the marks of a version with a brush. When the photo is enhanced again, they are
        what is repaired. Raises NotSaved if they can no longer be read."""
        assert version.marks is not None
        with self._saving(entry):
            marks = from_picture(version.marks.read_bytes())
        entry.marks = as_picture(brushed(marks, strokes))

    @contextmanager
    def _saving(self, entry: Entry) -> Iterator[None]:
        """Turn an OSError in the block into a NotSaved that names the photo."""
        try:
            yield
        except OSError as error:
            log.exception("a result could not be saved")
            raise NotSaved.because(entry.source.name, error) from error

    def versions(self, picks: Picks) -> list[Version | None]:
        """The version of each photo that counts. Picks that do not exist are ignored."""
        return [entry.numbered(picks.get(i, -1)) for i, entry in enumerate(self.entries)]

    def archive(self, folder: Path, picks: Picks) -> list[Path]:
        """Link the results so far into an empty folder, where they stay as they are whatever
        becomes of the batch meanwhile. Returns the links; their names are unique."""
        self.touched = time.monotonic()
        with self._taking:
            files = [version.file for version in self.versions(picks) if version]
            return [linked(file, folder / file.name) for file in files]

    def outcomes(self, picks: Picks) -> list[Outcome]:
        """The outcome of every photo that has one."""
        found = (
            version.report if version else entry.failure
            for entry, version in zip(self.entries, self.versions(picks), strict=False)
        )
        return [outcome for outcome in found if outcome]

    def index(self, entry: Entry) -> int:
        """The position of an entry in the batch, from 0."""
        return next(i for i, other in enumerate(self.entries) if other is entry)

    def _mark_running(self) -> None:
        """Mark the photos that the engine has begun with."""
        for entry in self.remaining[: self.engine.running]:
            entry.state = "running"

    def _take(self, entry: Entry, record: Result | Failure, entries: list[Entry]) -> None:
        version = None
        if isinstance(record, Result):
            try:
                name = self._unique(entry, record.filename)
                version = self.files.version(self.options_at_work, record, name)
                self.files.show_source(entry, record.views)
            except OSError as error:
                log.exception("a result could not be saved")
                record = failure(record.index, record.name, NotSaved.because(record.name, error))
        with self._taking:
            if self._at_work is entries:  # else `begin` was called meanwhile; it is made anew
                self._finish(entry, record, version)
                self._mark_running()

    def _unique(self, entry: Entry, filename: str) -> str:
        """The name with a number added if a result of another photo has it."""
        owner = self._names.setdefault  # by case-folded name, as some systems ignore case
        return next(n for n in numbered(filename) if owner(n.casefold(), entry) is entry)

    def _finish(self, entry: Entry, record: Result | Failure, version: Version | None) -> None:
        self.metrics.count(record)
        if isinstance(record, Failure):
            log.info("photo %d failed: %s", self.index(entry), record.kind)
            entry.failure, entry.state = record, "failed"
            return
        assert version is not None
        self.estimator.learn(record.report)
        entry.versions.append(version)
        entry.state = "done"
