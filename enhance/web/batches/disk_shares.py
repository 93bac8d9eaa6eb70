"""Room on the disk: each client has a quarter of it, and what goes when there is no more.

Uploads that no batch uses go first. A result goes only to make room for its own client, so nobody
loses one because of what others send.
"""

import logging
import os
import shutil
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhance.errors import NoRoom, OptionsError
from enhance.i18n import Sentence, say
from enhance.limits import quarter

log = logging.getLogger(__name__)

# An upload that no batch uses is kept for so many seconds: its batch may be about to start.
_GRACE = 60
# After a look at the disk that found no room for a client, the next one is so many times as long
# away as that look took.
_PAUSE = 10

NO_ROOM = say("This server has no room for more photos at the moment. Try again in a few minutes.")
_SHARE_USED = say(
    "Your photos and results take up your share of this server's disk. Try again when your other "
    "batches are done, or send fewer photos."
)

Files = dict[tuple[int, int], int]
"""Bytes used by each file and folder, by device and inode: one with several links counts once."""
Kind = Literal["upload", "finished", "working"]


@dataclass(frozen=True, eq=False)
class Kept:
    """A folder on the disk. client: whose it is, "" if that is not known. idle: for how many
    seconds it has not been used."""

    path: Path
    client: str
    kind: Kind
    idle: float
    files: Files


class Room:
    """Keeps account of the disk from one look at it to the next. Thread-safe."""

    def __init__(
        self, most: int, look: Callable[[], list[Kept]], delete: Callable[[Path], None]
    ) -> None:
        """most: bytes. look: all folders, as they are now. delete: deletes one of them."""
        self._most = most
        self._look = look
        self._delete = delete
        self._lock = threading.RLock()
        self._taken: Counter[str] = Counter()
        self._coming: set[Kept] = set()
        self._refused: dict[str, float] = {}
        self.used = 0
        """Bytes in use, with those that are about to be written."""

    def take(self, client: str, more: int = 0) -> None:
        """Count `more` bytes of a client that are about to be written. Raises NoRoom.

        When they do not fit, looks at the disk and deletes what is superfluous.
        """
        with self._lock:
            if self._full(client, more) and self._refused.get(client, 0) < time.monotonic():
                self._make_room(client, more)
            if full := self._full(client, more):
                raise NoRoom(full)
            self._taken[client] += more
            self.used += more

    def expect(self, client: str, more: int) -> Kept:
        """`take`, for bytes that arrive until what this returns is given to `arrived`."""
        upload = Kept(Path(), client, "working", 0, {})
        upload.files[-1, id(upload)] = more  # like no file's
        with self._lock:
            self.take(client, more)
            self._coming.add(upload)
        return upload

    def arrived(self, upload: Kept) -> None:
        """The upload is on the disk, or has failed. Never blocks."""
        self._coming.discard(upload)

    def tidy(self) -> None:
        """Look at the disk; delete uploads that no batch uses, if it is full."""
        with self._lock:
            self._make_room("", 0)

    def _full(self, client: str, more: int) -> Sentence | None:
        """What is full, so that the bytes do not fit; None if they do."""
        if self._taken[client] + more > quarter(self._most):
            return _SHARE_USED
        return NO_ROOM if self.used + more > self._most else None

    def _make_room(self, client: str, more: int) -> None:
        start = time.monotonic()
        folders = [*self._look(), *self._coming.copy()]
        goes, enough = superfluous(folders, self._most, client, more)
        for folder in goes:
            self._delete(folder.path)
        everything, owned = _sums(folder for folder in folders if folder not in goes)
        self.used = everything.bytes
        self._taken = Counter({name: theirs.bytes for name, theirs in owned.items()})
        end = time.monotonic()
        self._refused = {name: until for name, until in self._refused.items() if until > end}
        if not enough:
            self._refused[client] = end + _PAUSE * (end - start)


def superfluous(folders: list[Kept], most: int, client: str, more: int) -> tuple[list[Kept], bool]:
    """What must go so that `client` can have `more` of `most` bytes, and whether that is enough.

    If it is not, no finished batch goes, because that would help nobody.
    """
    everything, owned = _sums(folders)
    goes: dict[Kept, None] = {}

    def too_full_for(someone: str) -> bool:
        share_used = someone == client and owned[client].bytes + more > quarter(most)
        return share_used or everything.bytes + more > most

    def remove(folder: Kept) -> None:
        goes[folder] = None
        everything.remove(folder)
        owned[folder.client].remove(folder)

    def remove_unused(upload: Kept) -> None:
        if upload.idle > _GRACE and all(everything.links[file] == 1 for file in upload.files):
            remove(upload)

    uploads = [folder for folder in folders if folder.kind == "upload"]
    # First those of whoever has most.
    for upload in sorted(uploads, key=lambda each: (-owned[each.client].bytes, -each.idle)):
        if too_full_for(upload.client):
            remove_unused(upload)
    useless = list(goes)
    sent = {file: upload for upload in uploads for file in upload.files}
    finished = [each for each in folders if each.kind == "finished" and each.client == client]
    for batch in sorted(finished, key=lambda folder: -folder.idle):
        if too_full_for(client):
            remove(batch)
            for upload in {sent[file] for file in batch.files if file in sent} - goes.keys():
                remove_unused(upload)
    enough = not too_full_for(client)
    return (list(goes) if enough else useless), enough


class _Sum:
    """How many bytes several folders take up together; a file with several links counts once."""

    def __init__(self) -> None:
        self.bytes = 0
        self.links: Counter[tuple[int, int]] = Counter()

    def add(self, folder: Kept) -> None:
        for file, size in folder.files.items():
            self.bytes += 0 if self.links[file] else size
            self.links[file] += 1

    def remove(self, folder: Kept) -> None:
        for file, size in folder.files.items():
            self.links[file] -= 1
            self.bytes -= 0 if self.links[file] else size


def _sums(folders: Iterable[Kept]) -> tuple[_Sum, defaultdict[str, _Sum]]:
    """The sum of all folders, and those of each client's."""
    everything, owned = _Sum(), defaultdict[str, _Sum](_Sum)
    for folder in folders:
        everything.add(folder)
        owned[folder.client].add(folder)
    return everything, owned


@contextmanager
def storing() -> Iterator[None]:
    """Turn an OSError in the block, where photos that came are written, into a NoRoom."""
    try:
        yield
    except OSError as error:
        log.exception("photos could not be saved")
        raise NoRoom(NO_ROOM) from error


def own_folder(folder: Path) -> Path:
    """Make the folder if need be, for this user only; returns it.

    Raises OptionsError if others could replace what is in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status, link = folder.stat(), folder.lstat()
    if os.name == "posix" and (
        {status.st_uid, link.st_uid} != {os.getuid()} or status.st_mode & 0o022
    ):
        raise OptionsError(
            "The folder for uploads and results belongs to another user, or others may write "
            "to it, so they could replace photos in it. Set GRADIO_TEMP_DIR to a folder that "
            "only the user who runs this server may write to."
        )
    return folder


def files_in(top: Path) -> Files:
    """The file, or the folder with everything in it."""
    inside = (Path(at, name) for at, folders, files in os.walk(top) for name in folders + files)
    found = {}
    for path in (top, *inside):
        with suppress(FileNotFoundError):  # other threads delete and write meanwhile
            entry = path.lstat()
            # Small files use more than their length, compressed and new ones less.
            blocks = getattr(entry, "st_blocks", 0)  # Windows has none
            found[entry.st_dev, entry.st_ino] = max(entry.st_size, 512 * blocks)
    return found


def idle(path: Path) -> float:
    """For how many seconds a path has not changed; 0 if it is gone."""
    with suppress(FileNotFoundError):
        return time.time() - path.lstat().st_mtime
    return 0.0


def delete_old(paths: Iterable[Path], seconds: float) -> None:
    """Delete the paths that have not changed for this many seconds."""
    for path in paths:
        if idle(path) > seconds:
            delete(path)


def delete(path: Path) -> None:
    """Delete a file, or a folder with everything in it, as far as possible."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
