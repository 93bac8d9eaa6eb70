"""All batches of this server: started, found again, and deleted when old or short of disk space."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Collection
from pathlib import Path

from enhance.engines.base import Engine
from enhance.errors import NoRoom, TooManyPhotos
from enhance.estimates import Estimator
from enhance.files import linked
from enhance.i18n import say
from enhance.limits import Limits
from enhance.options import Options
from enhance.records import Source
from enhance.web.batches.batch import Batch
from enhance.web.batches.disk import delete, delete_old, used_bytes
from enhance.web.batches.entries import Entry
from enhance.web.batches.sizes import known_size
from enhance.web.batches.waiting_list import SILENT_SECONDS, WaitingList
from enhance.web.metrics import Metrics

log = logging.getLogger(__name__)

_UPLOAD_SECONDS = 600  # how long an upload without a batch is kept when disk space is short

NO_ROOM = say("This server has no room for more photos at the moment. Try again in a few minutes.")

KEEP_SECONDS = 6 * 3600
"""How long uploads and results are kept after they were last touched."""


class BatchStore:
    """All batches of a running server, by id; each belongs to the browser session that made it."""

    def __init__(
        self, engine: Engine, root: Path, limits: Limits, *, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        """root: folder of the uploads, in which this server makes one for its results.
        keep_seconds: how long a batch's files are kept after it was last touched."""
        root.mkdir(parents=True, exist_ok=True)
        delete_old(root.glob("results-*"), 4 * keep_seconds)  # left by servers that were killed
        self.engine = engine
        self.limits = limits
        self.waiting_list = WaitingList(limits.max_waiting)
        self.metrics = Metrics()
        self.estimator = Estimator(lambda: engine.info)
        self._uploads = root
        self._root = Path(tempfile.mkdtemp(prefix="results-", dir=root))
        atexit.register(shutil.rmtree, self._root, ignore_errors=True)
        self._keep_seconds = keep_seconds
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.full = False  # when disk usage was last measured
        self._used = 0
        for name, what, value in (
            ("enhance_ready", "1 when the models are loaded.", lambda: bool(engine.info)),
            ("enhance_waiting_photos", "Photos that are not finished.", lambda: self.waiting),
            ("enhance_waiting_batches", "Their batches.", lambda: len(self.alive())),
            ("enhance_files_bytes", "Disk in use, at the last look.", lambda: self._used),
        ):
            self.metrics.watch(name, what, value)

    def start(
        self,
        sources: list[Source],
        options: Options,
        session: str,
        request: str = "-",
        *,
        viewed: bool = False,
        drafts: bool = False,
    ) -> Batch:
        """Start a batch for a browser session; work begins when its records are consumed.

        request: id of the HTTP request, for the log. drafts: show a quick preview of slow photos
        first. Raises TooManyPhotos or NoRoom if the limits
        or the disk do not allow the batch.
        """
        if len(sources) > self.limits.max_photos:
            raise TooManyPhotos(
                say(
                    "You sent {count} photos; a batch may have at most {most}. Split "
                    "them into several batches.",
                    count=len(sources),
                    most=self.limits.max_photos,
                )
            )
        self.expire()
        if not self.make_room():
            raise NoRoom(NO_ROOM)
        key = uuid.uuid4().hex
        folder = self._root / key
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            log.exception("no folder for a batch could be made")
            raise NoRoom(NO_ROOM) from error
        entries = [self._entry(source, folder, i) for i, source in enumerate(sources, 1)]
        batch = Batch(
            key=key,
            session=session,
            folder=folder,
            options=options,
            entries=entries,
            engine=self.engine,
            metrics=self.metrics,
            estimator=self.estimator,
            request=request,
            viewed=viewed,
            drafts=drafts,
        )
        batch.begin(entries, options)
        with self._lock:
            self._batches[key] = batch
        return batch

    def get(self, key: object) -> Batch | None:
        """The batch with this key; None if it has expired. key: unchecked, as a browser sent it."""
        return self._batches.get(key) if isinstance(key, str) else None

    def alive(self) -> list[Batch]:
        """The batches with photos in progress or waiting."""
        with self._lock:
            return [batch for batch in self._batches.values() if batch.remaining]

    @property
    def waiting(self) -> int:
        """How many photos in all batches are not finished."""
        return sum(len(batch.remaining) for batch in self.alive())

    def leave(self, session: str) -> None:
        """Stop the work of a session whose page was closed."""
        with self._lock:
            left = [batch for batch in self._batches.values() if batch.session == session]
        for batch in left:
            self.waiting_list.leave(batch.key)
            batch.abandon()

    def expire(self) -> None:
        """Delete batches that have not been touched for `keep_seconds`."""
        oldest = time.monotonic() - self._keep_seconds
        with self._lock:
            gone = [batch for batch in self._batches.values() if batch.touched < oldest]
            for batch in gone:
                del self._batches[batch.key]
        for batch in gone:
            self.waiting_list.leave(batch.key)
            batch.stop()
            delete(batch.folder)

    def make_room(self) -> bool:
        """Delete finished batches, oldest first, until disk usage is within its limit. Returns
        whether that was achieved."""
        while True:
            self._used = used_bytes(self._uploads, self._root)
            if self._used <= self.limits.max_disk_bytes:
                self.full = False
                return True
            with self._lock:
                finished = [b for b in self._batches.values() if not b.remaining]
                if not finished:
                    self.full = True
                    return False
                oldest = self._batches.pop(min(finished, key=lambda b: b.touched).key)
            delete(oldest.folder)

    def sweep(self, kept: Collection[Path] = ()) -> None:
        """Delete batches and unused uploads that are too old or exceed the disk limit.

        kept: folders among the uploads that must stay.
        """
        self.expire()
        self._abandon_forgotten()
        for folder in kept:
            os.utime(folder)
        self._delete_uploads(self._keep_seconds)
        if not self.make_room():
            self._delete_uploads(_UPLOAD_SECONDS)

    def _abandon_forgotten(self) -> None:
        """Abandon the page's batches that have lost their place in the queue and are not served."""
        oldest = time.monotonic() - SILENT_SECONDS
        for batch in self.alive():
            waits = (
                self.waiting_list.served(batch.key)
                or self.waiting_list.ahead(batch.key) is not None
            )
            if batch.viewed and not waits and batch.touched < oldest:
                batch.abandon()

    def _delete_uploads(self, seconds: float) -> None:
        uploads = (p for p in self._uploads.iterdir() if not p.name.startswith("results-"))
        delete_old(uploads, seconds)

    def sweep_every(self, seconds: float, kept: Collection[Path] = ()) -> None:
        """Call `sweep` at this interval in a background thread, until `close`."""

        def sweep() -> None:
            while not self._closed.wait(seconds):
                try:
                    self.sweep(kept)
                except Exception:
                    log.exception("the sweep failed; it is tried again")

        threading.Thread(target=sweep, name="sweep", daemon=True).start()

    def close(self, uploads: Collection[Path] = ()) -> None:
        """Stop all work, and delete all results and the given folders of uploads."""
        self._closed.set()
        with self._lock:
            left = list(self._batches.values())
            self._batches.clear()
        for batch in left:
            batch.abandon()
        for folder in (self._root, *uploads):
            delete(folder)

    def _entry(self, source: Source, folder: Path, number: int) -> Entry:
        # The upload may be deleted before the photo's turn; this link lives as long as the batch.
        path = linked(source.path, folder / f"source_{number}{source.path.suffix}")
        return Entry(Source(path, source.name, number=number), known_size(path), path)
