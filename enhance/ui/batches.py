"""The batches of the people at the page: what they sent, what is finished, where it lies.

A batch outlives the requests that work on it, so that work can be done in slices and results can
be looked at later. Its files lie in a folder with an unguessable name.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import shutil
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance.engines.base import Engine, Run, unsaved
from enhance.files import appearing, write_bytes
from enhance.images import browser_shows, preview, size_of
from enhance.records import Failure, Options, Report, Result, Source

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "done", "failed", "stopped"]
_GALLERY_PIXELS = 4_000_000  # larger results are shown in the gallery as a preview


@dataclass
class Entry:
    """One photo of a batch. `file` is the result, `shown` and `before` what a browser can show."""

    source: Source
    size: tuple[int, int] | None
    state: State = "waiting"
    file: Path | None = None
    shown: Path | None = None
    before: Path | None = None
    report: Report | None = None
    failure: Failure | None = None

    @property
    def viewable(self) -> Path | None:
        """The result at full size where browsers can show its format, else its preview."""
        return self.file if self.file and browser_shows(self.file) else self.shown


@dataclass
class Batch:
    """Photos on their way through the engine; results are saved into `folder` as they come."""

    key: str
    session: str
    folder: Path
    options: Options
    entries: list[Entry]
    run: Run
    first: int = 0  # the entry that the run's first record belongs to
    touched: float = field(default_factory=time.monotonic)

    @property
    def finished(self) -> list[Entry]:
        """The entries that have a result, in the order of the photos."""
        return [entry for entry in self.entries if entry.state == "done"]

    @property
    def remaining(self) -> list[Entry]:
        """The entries that are still to be worked on."""
        return [entry for entry in self.entries if entry.state in ("waiting", "running")]

    def records(self) -> Iterator[Entry]:
        """Work on the next photo and yield its entry when it is finished, photo by photo.

        May be abandoned and called again: it goes on with the rest.
        """
        while self.remaining:
            self.touched = time.monotonic()
            record = next(self.run, None)
            if record is None:
                break
            entry = self.entries[self.first + record.index]
            self._take(entry, record)
            if self.remaining:  # the engine has begun with it already
                self.remaining[0].state = "running"
            yield entry
        self.abandon()

    def stop(self) -> None:
        """Stop the work before its next tile; finished photos stay. Safe from any thread."""
        self.run.close()

    def abandon(self) -> None:
        """Stop, and count what is not finished as stopped: nobody works on it any more."""
        self.stop()
        for entry in self.remaining:
            entry.state = "stopped"

    @property
    def stopped(self) -> list[Entry]:
        """The entries that `resume` would go on with; they are the last ones."""
        return [entry for entry in self.entries if entry.state == "stopped"]

    def resume(self, engine: Engine) -> None:
        """Begin again with the photos that a stop left over."""
        rest = self.stopped
        if not rest:
            return
        self.first = len(self.entries) - len(rest)
        self.run = engine.run([entry.source for entry in rest], self.options)
        for entry in rest:
            entry.state = "waiting"
        rest[0].state = "running"

    def zip(self) -> Path:
        """An archive of all results so far, written to disk photo by photo."""
        target = self.folder / "enhanced_photos.zip"
        with (
            appearing(target) as partial,
            zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,  # photos do not shrink
        ):
            for entry in self.finished:
                assert entry.file is not None
                archive.write(entry.file, entry.file.name)
        return target

    def _take(self, entry: Entry, record: Result | Failure) -> None:
        if isinstance(record, Result):
            try:
                entry.file = self._save(self._free(record.filename), record.data)
            except OSError as error:
                log.exception("a result could not be saved")
                record = unsaved(record, error)
        if isinstance(record, Failure):
            entry.failure, entry.state = record, "failed"
        else:
            entry.report, entry.state = record.report, "done"
            self._make_viewable(entry, record)

    def _free(self, name: str) -> str:
        """`name`, numbered if a run before this one has used it."""
        stem, _, extension = name.rpartition(".")
        for count in itertools.count(2):
            if not (self.folder / name).exists():
                break
            name = f"{stem}_{count}.{extension}"
        return name

    def _save(self, name: str, data: bytes) -> Path:
        return write_bytes(self.folder / name, data)

    def _make_viewable(self, entry: Entry, result: Result) -> None:
        """Pictures to look at; where none can be made, the result can still be downloaded."""
        assert entry.file is not None
        entry.shown, entry.before = entry.file, entry.source.path
        width, height = result.report.output_size
        try:
            if not browser_shows(entry.file) or width * height > _GALLERY_PIXELS:
                name = f"preview_{entry.file.name}.jpg"
                entry.shown = self._save(name, preview(result.data))
            if not browser_shows(entry.before):
                name = f"before_{entry.file.name}.jpg"
                entry.before = self._save(name, preview(entry.before.read_bytes()))
        except Exception:
            log.exception("no preview could be made")


def _link(path: Path, target: Path) -> Path:
    """`target` as another name of the file, or a copy where the disk has no such thing.

    `path` itself when neither works: reading it will say why.
    """
    for make in (target.hardlink_to, lambda source: shutil.copyfile(source, target)):
        with suppress(OSError):
            make(path)
            return target
    return path


class Batches:
    """All batches of a running server, by id; each belongs to the browser session that made it."""

    def __init__(self, engine: Engine, root: Path, *, keep_seconds: float = 6 * 3600) -> None:
        """root: folder below which this server makes one for its results. keep_seconds: how long
        after the last work on a batch its files stay."""
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob("results-*"):  # by servers that were killed
            if time.time() - left.stat().st_mtime > 4 * keep_seconds:
                shutil.rmtree(left, ignore_errors=True)
        root = Path(tempfile.mkdtemp(prefix="results-", dir=root))
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        self.engine = engine
        self._root = root
        self._keep_seconds = keep_seconds
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def start(self, sources: list[Source], options: Options, session: str) -> Batch:
        """A new batch of a browser session, its work not yet begun."""
        self.expire()
        key = uuid.uuid4().hex
        folder = self._root / key
        folder.mkdir(parents=True)
        # The uploads may be swept before their turn has come; the batch's own links live with it.
        sources = [
            Source(_link(source.path, folder / f"source_{i}{source.path.suffix}"), source.name)
            for i, source in enumerate(sources)
        ]
        entries = [Entry(source, size_of(source.path)) for source in sources]
        entries[0].state = "running"
        batch = Batch(key, session, folder, options, entries, self.engine.run(sources, options))
        with self._lock:
            self._batches[key] = batch
        return batch

    def get(self, key: str) -> Batch | None:
        """The batch of that id, unless it has expired."""
        return self._batches.get(key)

    def leave(self, session: str) -> None:
        """The session's page was closed: stop its work."""
        with self._lock:
            left = [batch for batch in self._batches.values() if batch.session == session]
        for batch in left:
            batch.stop()

    def expire(self) -> None:
        """Delete what nobody has worked on for `keep_seconds`."""
        oldest = time.monotonic() - self._keep_seconds
        with self._lock:
            gone = [batch for batch in self._batches.values() if batch.touched < oldest]
            for batch in gone:
                del self._batches[batch.key]
        for batch in gone:
            batch.stop()
            shutil.rmtree(batch.folder, ignore_errors=True)
