"""All batches of this server: started, found again, and deleted when old or short of disk space."""

import atexit
import errno
import logging
import os
import re
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

from enhance.engines.base import Engine
from enhance.errors import EnhanceError, NoRoom, TooManyPhotos
from enhance.files import linked
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER
from enhance.pipeline.estimates import Estimator
from enhance.records import Source
from enhance.web.batches import disk_shares as disk
from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry
from enhance.web.batches.waiting_list import SILENT_SECONDS, WaitingList
from enhance.web.metrics import Metrics

log = logging.getLogger(__name__)

KEEP_SECONDS = 6 * 3600
"""How long uploads and results are kept after they were last touched."""
MOST_BATCHES = 200
"""How many batches of the page a client has at most: an office behind one address hardly makes as
many in that time, and looking through all their folders takes the server a fraction of a second."""

# Uploads, whole and incomplete ones, and what Gradio makes for links to the page.
_GRADIOS = re.compile(r"[0-9a-f]{64}|tmp[0-9a-z_]{8}|deep_links")


class BatchStore:
    """All batches of a running server, by id; each belongs to the browser session that made it."""

    def __init__(
        self, engine: Engine, root: Path, limits: Limits, *, keep_seconds: float = KEEP_SECONDS
    ) -> None:
        """root: folder of the uploads, in which this server makes one for its results.
        keep_seconds: how long a batch's files are kept after it was last touched. Raises
        OptionsError if others could write to `root`."""
        left = disk.own_folder(root).glob("results-*")  # by servers that were killed
        disk.delete_old(left, 4 * keep_seconds)
        self.engine = engine
        self.limits = limits
        self.waiting_list = WaitingList()
        self.metrics = Metrics()
        self.estimator = Estimator(lambda: engine.info)
        self._uploads = root
        self._root = Path(tempfile.mkdtemp(prefix="results-", dir=root))
        atexit.register(shutil.rmtree, self._root, ignore_errors=True)
        self._keep_seconds = keep_seconds
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.kept_uploads: Collection[Path] = ()
        """Folders among the uploads that must stay."""
        self._senders: dict[Path, str] = {}
        self.room = disk.Room(limits.max_disk_bytes, self._look, self._delete)
        watch = self.metrics.watch
        watch("enhance_ready", "1 when the models are loaded.", lambda: bool(engine.info))
        watch("enhance_waiting_photos", "Photos that are not finished.", lambda: self.waiting)
        watch("enhance_waiting_batches", "Their batches.", lambda: len(self.alive()))
        watch("enhance_files_bytes", "Disk in use.", lambda: self.room.used)

    def start(
        self,
        sources: list[Source],
        options: Options | None,
        session: str,
        request: str = "-",
        *,
        client: str = "",
        viewed: bool = False,
    ) -> Batch:
        """Start a batch for a browser session; work begins when its records are consumed, or if
        there are no options yet, with its `begin`.

        request: id of the HTTP request, for the log. client: whose share of the disk the batch
        takes from. Raises as `add` does.
        """
        self.expire()
        key = uuid.uuid4().hex
        batch = Batch(
            key=key,
            session=session,
            folder=self._root / key,
            entries=[],
            engine=self.engine,
            metrics=self.metrics,
            estimator=self.estimator,
            limits=self.limits,
            request=request,
            client=client,
            viewed=viewed,
        )
        try:
            self.add(batch, sources, options)
        except EnhanceError:
            self._drop([batch])
            raise
        if viewed:  # its oldest ones go, if the client has too many
            own = [each for each in self._all if each.viewed and each.client == client]
            idle = sorted((each for each in own if not each.busy), key=lambda each: each.touched)
            self._drop(idle[: max(0, len(own) - MOST_BATCHES)])
        return batch

    def add(self, batch: Batch, sources: list[Source], options: Options | None = None) -> None:
        """Add photos to a batch, without those that it has already: the same uploads; if there are
        options, begin with all of them. Raises TooManyPhotos or NoRoom if the limits or the disk do
        not allow them; then none is added."""
        with batch.adding:  # it must not make room for its own photos
            with self._lock:
                self._batches[batch.key] = batch  # from now on its files are counted
            self.room.take(batch.client)
            known = {entry.sent for entry in batch.entries}
            new = (source for source in sources if source.path not in known)
            fresh = [replace(source, number=next(batch.serial)) for source in new]
            count = len(batch.entries) + len(fresh)
            if count > self.limits.max_photos:
                raise TooManyPhotos(
                    "You sent {count} photos; a batch may have at most {most}. Split "
                    "them into several batches.",
                    count=count,
                    most=self.limits.max_photos,
                )
            try:
                with disk.storing():
                    added = [self._entry(batch, source) for source in fresh]
            except NoRoom:
                for source in fresh:
                    disk.delete(batch.folder / str(source.number))
                raise
            batch.entries += added
            batch.touched = time.monotonic()
            if options:
                batch.begin(batch.entries, options)

    def get(self, key: object) -> Batch | None:
        """The batch with this key; None if it has expired. key: unchecked, as a browser sent it."""
        return self._batches.get(key) if isinstance(key, str) else None

    def alive(self) -> list[Batch]:
        """The batches with photos in progress or waiting."""
        return [batch for batch in self._all if batch.remaining]

    @property
    def waiting(self) -> int:
        """How many photos in all batches are not finished."""
        return sum(len(batch.remaining) for batch in self.alive())

    def leave(self, session: str) -> None:
        """Stop the work of a session whose page was closed."""
        for batch in self._all:
            if batch.session == session:
                self.waiting_list.leave(batch.key)
                batch.abandon()

    def expire(self) -> None:
        """Delete batches that have not been touched for `keep_seconds`."""
        oldest = time.monotonic() - self._keep_seconds
        self._drop(batch for batch in self._all if batch.touched < oldest)

    @property
    def _all(self) -> list[Batch]:
        """All batches, as they are now: others may come and go meanwhile."""
        return [*self._batches.values()]

    def _drop(self, gone: Iterable[Batch]) -> None:
        for batch in gone:
            self._batches.pop(batch.key, None)
            self.waiting_list.leave(batch.key)
            batch.stop()
            disk.delete(batch.folder)

    def sent(self, client: str, paths: Iterable[Path]) -> None:
        """Note who has uploaded these files."""
        self._senders |= {path.parent: client for path in paths}

    def sweep(self) -> None:
        """Delete batches and unused uploads that are too old or exceed the disk limit."""
        self.expire()
        queue, oldest = self.waiting_list, time.monotonic() - SILENT_SECONDS
        for batch in self.alive():  # those of the page may have lost their place in the queue
            waits = queue.served(batch.key) or queue.ahead(batch.key) is not None
            if batch.viewed and not waits and batch.touched < oldest:
                batch.abandon()
        disk.delete_old(self._uploaded(), self._keep_seconds)
        for folder in [*self._senders]:  # others may come meanwhile
            if not folder.exists():
                self._senders.pop(folder, None)
        self.room.tidy()

    def _uploaded(self) -> list[Path]:
        """What Gradio has put into the folder; anything else there is somebody else's."""
        found = (path for path in self._uploads.iterdir() if _GRADIOS.fullmatch(path.name))
        return [path for path in found if path not in self.kept_uploads]

    def _look(self) -> list[disk.Kept]:
        """What is on the disk."""
        now = time.monotonic()
        found = []
        for path in self._uploaded():
            sender = self._senders.get(path, "")
            found.append(disk.Kept(path, sender, "upload", disk.idle(path), disk.files_in(path)))
        for batch in self._all:
            idle_for, files = now - batch.touched, disk.files_in(batch.folder)
            kind: disk.Kind = "working" if batch.busy else "finished"
            found.append(disk.Kept(batch.folder, batch.client, kind, idle_for, files))
        return found

    def _delete(self, folder: Path) -> None:
        """Delete an upload, or a batch that nobody has gone on with meanwhile."""
        with self._lock:
            batch = self._batches.get(folder.name)
            if batch is not None and batch.busy:
                return
            self._batches.pop(folder.name, None)
        disk.delete(folder)

    def _take(self, client: str, more: int) -> None:
        """Count bytes of a batch that are about to be saved. Raises OSError if there is no room."""
        try:
            self.room.take(client, more)
        except NoRoom:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)) from None

    def sweep_every(self, seconds: float) -> None:
        """Call `sweep` at this interval in a background thread, until `close`."""

        def sweep() -> None:
            while not self._closed.wait(seconds):
                try:
                    self.sweep()
                except Exception:
                    log.exception("the sweep failed; it is tried again")

        threading.Thread(target=sweep, name="sweep", daemon=True).start()

    def close(self) -> None:
        """Stop all work, and delete all results and uploads."""
        self._closed.set()
        for batch in self._all:
            self._batches.pop(batch.key, None)
            batch.abandon()
        for folder in (self._root, *(self._senders.keys() - {*self.kept_uploads})):
            disk.delete(folder)

    def _entry(self, batch: Batch, source: Source) -> Entry:
        folder = batch.folder / str(source.number)
        folder.mkdir(parents=True)
        # The upload may be deleted before the photo's turn; this link lives as long as the batch.
        link = folder / f"source{source.path.suffix}"
        path = linked(source.path, link, partial(self.room.take, batch.client))
        own = replace(source, path=path)
        take = partial(self._take, batch.client)
        return Entry(own, source.path, DECODER.size_of(path), path, folder, take)
