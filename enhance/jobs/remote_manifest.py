"""Results in a store such as S3, where files can be neither appended to nor locked.

The manifest is a folder of parts, `.enhance/<time>-<id>.jsonl`. Each process writes its own parts,
with the same lines as in a local folder. A part is uploaded again every hundred lines or every few
seconds, and at the end; after some thousand lines a new part is started. If a process is killed,
the photos since its last upload are done once more, with the same bytes under the same names.
"""

import logging
import re
import time
import uuid
from contextlib import suppress
from threading import Lock

from enhance.jobs.folder import Folder
from enhance.jobs.targets import Results

FOLDER = ".enhance"

log = logging.getLogger(__name__)

_LINES = 100  # at most this many lines wait to be uploaded
_SECONDS = 5  # after this time, the next line triggers an upload
_PART = 4000  # lines per part
_IS_PART = re.compile(rf"{re.escape(FOLDER)}/\d{{20}}-[0-9a-f]{{32}}\.jsonl")


class Bucket(Results):
    """The results in a folder of a store; see `Results` for the methods.

    What other processes do at the same time is not seen, so each must have its own shard.
    """

    def __init__(self, folder: Folder) -> None:
        """Read the manifest. Raises OSError, also if the store is not writable."""
        super().__init__(folder)
        self._lock = Lock()  # guards the attributes below: a signal's timer may close
        self._begin_part()
        with suppress(FileExistsError):
            folder.create(
                f"{FOLDER}/about.txt", b"What `python -m enhance` has done is in the parts.\n"
            )
        folder.sizes |= {entry.name: entry.size for entry in folder.walk()}
        for part in sorted(filter(_IS_PART.fullmatch, folder.sizes)):  # by time
            self._ledger.read(folder.read(part).splitlines())

    def record(self, added: bytes) -> None:
        with self._lock:
            self._ledger.read([added])
            self._lines.append(added)
            waiting = len(self._lines) - self._put_lines
            if waiting < _LINES and time.monotonic() < self._put_at + _SECONDS:
                return
            try:
                self._upload()
            except OSError:  # the lines are not lost, but uploaded with the next ones
                log.exception("a part of the manifest could not be written")

    def check(self) -> None:
        with self._lock:
            self._upload()

    close = check

    def _begin_part(self) -> None:
        self._part = f"{FOLDER}/{time.time_ns():020}-{uuid.uuid4().hex}.jsonl"
        self._lines: list[bytes] = []
        self._put_lines, self._put_at = 0, time.monotonic()

    def _upload(self) -> None:
        if len(self._lines) > self._put_lines:
            self.folder.write(self._part, b"".join(self._lines))
            self._put_lines, self._put_at = len(self._lines), time.monotonic()
            if len(self._lines) >= _PART:
                self._begin_part()
