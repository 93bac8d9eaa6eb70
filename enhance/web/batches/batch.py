"""One person's batch: the photos, their results so far and the files of both.

A batch outlives the requests that work on it, so that batches can take turns and results can be
viewed later. Its files are in a folder with an unguessable name.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from enhance.engines.base import Engine, Run, failure
from enhance.errors import EnhanceError, NotSaved
from enhance.estimates import Estimator
from enhance.files import numbered, write_bytes
from enhance.layers import repaste, separated
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER
from enhance.records import Failure, Result, Source, Views
from enhance.reports import Outcome
from enhance.views import preview
from enhance.web.batches.entries import Entry, Version
from enhance.web.log import about
from enhance.web.metrics import Metrics

log = logging.getLogger(__name__)

_UNREADABLE = Path(__file__).with_name("unreadable.svg")

WantsDraft = Callable[[tuple[int, int], Options], bool]
"""Whether a photo of this size takes so long that a quick preview should be shown first."""


@dataclass(frozen=True)
class _Job:
    entry: Entry
    options: Options
    draft: bool = False


@dataclass
class Batch:
    """Photos on their way through the engine; results are saved in `folder` as they arrive."""

    key: str
    session: str
    folder: Path
    options: Options
    entries: list[Entry]
    engine: Engine
    metrics: Metrics
    estimator: Estimator
    request: str  # id of the request that made the batch, for the log
    viewed: bool  # on the page, which needs previews and layers
    wants_draft: WantsDraft | None = None
    looked_at: Entry | None = None  # in the viewer
    tabled: bool = False  # the page shows the table of details
    touched: float = field(default_factory=time.monotonic)
    options_at_work: Options = field(init=False)  # from the last call of `begin`
    _begun: float = 0.0
    _run: Run | None = None
    _jobs: list[_Job] = field(default_factory=list)
    _taking: threading.Lock = field(default_factory=threading.Lock)
    _serial: Iterator[int] = field(default_factory=itertools.count)

    @property
    def finished(self) -> list[Entry]:
        """The entries that have a result, in the order of the photos."""
        return [entry for entry in self.entries if entry.versions]

    @property
    def pictured(self) -> list[Entry]:
        """The entries that have at least a preview, in the order of the photos."""
        return [entry for entry in self.entries if entry.thumbnail]

    @property
    def remaining(self) -> list[Entry]:
        """The entries that are not finished yet."""
        return [entry for entry in self.entries if entry.state in ("waiting", "running")]

    @property
    def stopped(self) -> list[Entry]:
        """The entries that were not finished when the batch was stopped."""
        return [entry for entry in self.entries if entry.state == "stopped"]

    def begin(self, entries: list[Entry], options: Options) -> None:
        """Give these photos to the engine; `records` yields them."""
        jobs = []
        for entry in entries:
            if self._slow(entry, options):
                jobs.append(_Job(entry, options, draft=True))
            jobs.append(_Job(entry, options))
        sources = [Source(j.entry.source.path, j.entry.source.name, j.draft) for j in jobs]
        with self._taking:
            self._jobs = jobs
            self.options_at_work = options
            for entry in entries:
                entry.state, entry.failure = "waiting", None
            self._mark_running()
            self._run = self.engine.run(sources, options, viewed=self.viewed)
            self._begun = time.monotonic()

    def records(self) -> Iterator[Entry]:
        """Yield each entry when its preview, if any, is ready, and again when it is finished.

        The generator may be dropped; calling this again goes on with the rest.
        """
        return about(self.request, self._work())

    def _work(self) -> Iterator[Entry]:
        jobs = self._jobs
        for record in self._run or ():
            if self._jobs is not jobs:
                return  # `begin` was called again while this photo was in progress
            self.touched = time.monotonic()
            job = jobs[record.index]
            if job is jobs[0]:
                own = sum(record.report.seconds.values()) if isinstance(record, Result) else 0.0
                self.metrics.waited(self.touched - self._begun - own)
            if job.draft:
                self._take_draft(job.entry, record)
            else:
                self._take(job, record, jobs)
            yield job.entry
        if self._jobs is jobs:
            self.abandon()

    def stop(self) -> None:
        """Stop the work before its next tile; finished photos stay. Safe from any thread."""
        if run := self._run:  # read once: another thread may call `abandon` meanwhile
            run.close()

    def abandon(self) -> None:
        """Stop, and mark what is not finished as stopped: nothing works on it any more."""
        self.stop()
        self._run = None  # frees the last photo's pixels
        for entry in self.remaining:
            entry.state = "done" if entry.versions else "stopped"

    def change(
        self,
        entry: Entry,
        limits: Limits,
        *,
        keep: Collection[int] | None = None,
        weight: float | None = None,
        background_weight: float | None = None,
    ) -> None:
        """Make the chosen version anew without running a model: other faces or other strengths.

        Arguments that are None change nothing. keep: the faces (indices in the report) to restore.
        Raises EnhanceError, also if the result cannot be saved.
        """
        version = entry.version
        assert version is not None and version.layers is not None
        old = {version.file, version.shown, version.thumbnail}
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
            self._picture(version, self._save(version.file.name, done.data), done.views)
            version.report = done.report
        version.options = options
        if keep is not None and version.over:  # these pictures show the previous faces
            old |= {*version.over}
            version.over = None
        for path in old - {version.file, version.shown, version.thumbnail}:
            path.unlink(missing_ok=True)
        self.touched = time.monotonic()

    def lay_over(self, entry: Entry, limits: Limits) -> None:
        """Make `over` of the chosen version if need be. Raises EnhanceError as `change` does."""
        version = entry.version
        assert version is not None and version.layers is not None
        self.touched = time.monotonic()
        if version.over:
            return
        with self._saving(entry):
            blob = version.layers.read_bytes()
            background, faces = separated(
                entry.source, blob, version.report, limits, version.report.restored
            )
            version.over = self._save("background.jpg", background), self._save("faces.png", faces)

    @contextmanager
    def _saving(self, entry: Entry) -> Iterator[None]:
        """Turn an OSError in the block into a NotSaved that names the photo."""
        try:
            yield
        except OSError as error:
            log.exception("a result could not be saved")
            raise NotSaved.because(entry.source.name, error) from error

    def preview(self, entry: Entry, limits: Limits) -> Path:
        """A small picture of the photo as it was sent, made when it is first asked for."""
        if entry.preview is None:
            try:
                data = DECODER.run(preview, entry.source, entry.source, limits)
                entry.preview = self._save("preview.jpg", data)
            except (EnhanceError, OSError) as error:  # the photo's turn will tell what is wrong
                log.info("no preview of photo %d: %s", self.index(entry), type(error).__name__)
                entry.preview = _UNREADABLE
        return entry.preview

    def archive(self) -> list[tuple[Path, str]]:
        """The files of the results so far, each with a name that is unique in the archive."""
        self.touched = time.monotonic()  # sending the archive takes a while
        files: dict[str, tuple[Path, str]] = {}  # by case-folded name
        for path in (entry.version.file for entry in self.finished if entry.version):
            name = next(one for one in numbered(path.name) if one.casefold() not in files)
            files[name.casefold()] = path, name
        return list(files.values())

    def outcomes(self) -> list[Outcome]:
        """The outcome of every photo that has one."""
        return [entry.outcome for entry in self.entries if entry.outcome]

    def index(self, entry: Entry) -> int:
        """The position of an entry in the batch, from 0."""
        return next(i for i, other in enumerate(self.entries) if other is entry)

    def _mark_running(self) -> None:
        """Mark the photos that the engine has begun with."""
        for entry in self.remaining[: self.engine.replicas]:
            entry.state = "running"

    def _slow(self, entry: Entry, options: Options) -> bool:
        if self.wants_draft is None or entry.size is None or entry.versions:
            return False
        return self.wants_draft(entry.size, options)

    def _take_draft(self, entry: Entry, record: Result | Failure) -> None:
        try:
            if isinstance(record, Failure):
                log.info("no quick preview: %s", record.kind)
            else:
                entry.draft = self._save(record.filename, record.data)
                self._show_source(entry, record.views)
        except OSError:
            log.exception("a quick preview could not be saved")

    def _take(self, job: _Job, record: Result | Failure, jobs: list[_Job]) -> None:
        version = None
        if isinstance(record, Result):
            try:
                version = self._version(job, record)
                self._show_source(job.entry, record.views)
            except OSError as error:
                log.exception("a result could not be saved")
                record = failure(record.index, record.name, NotSaved.because(record.name, error))
        with self._taking:
            if self._jobs is jobs:  # else `begin` was called while this was saved; it is made anew
                self._finish(job.entry, record, version)
                self._mark_running()

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
        entry.chosen = len(entry.versions) - 1
        if entry.chosen:
            entry.compared = entry.chosen - 1

    def _version(self, job: _Job, result: Result) -> Version:
        file = self._save(result.filename, result.data)
        layers = self._save("layers", result.layers) if result.layers else None
        restorable = result.report.restored if layers else ()
        version = Version(job.options, result.report, file, file, file, layers, restorable)
        self._picture(version, file, result.views)
        return version

    def _picture(self, version: Version, file: Path, views: Views | None) -> None:
        """Set a version's file and the pictures that show it; where those cannot be saved, the file
        itself shows it."""
        version.file = version.shown = version.thumbnail = file
        try:
            if views:
                version.thumbnail = self._save("thumbnail.jpg", views.thumbnail)
            if views and views.shown:
                version.shown = self._save("shown.jpg", views.shown)
        except OSError:
            log.exception("a picture to look at could not be saved")

    def _show_source(self, entry: Entry, views: Views | None) -> None:
        """Set `before` to the photo itself, or to a copy if browsers cannot show it."""
        if not entry.versions:
            before = views.before if views else None
            entry.before = self._save("before.jpg", before) if before else entry.source.path

    def _save(self, name: str, data: bytes) -> Path:
        """Save a file in a folder of its own, so that it keeps its name."""
        folder = self.folder / str(next(self._serial))
        folder.mkdir()
        return write_bytes(folder / name, data)
