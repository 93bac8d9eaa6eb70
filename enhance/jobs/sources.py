"""Lists the photos to do, and fetches them to this machine."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from enhance.files import UnsafeName, real, safe
from enhance.jobs.manifest_lines import alike
from enhance.jobs.object_store import Store
from enhance.jobs.temporary_tables import as_bytes, as_text, scratch
from enhance.jobs.walk import Listed, list_local, stated, walk
from enhance.limits import Limits
from enhance.photos import EXTENSIONS, output_stem

log = logging.getLogger(__name__)

_LIMITS = Limits()


@dataclass(frozen=True)
class Entry:
    """A photo in a listing.

    source: absolute path or URL. name: its relative path, which its result will have too. size,
    version: see `Job`. is_link: whether it is a link to a local file.
    """

    source: str
    name: str
    size: int
    version: str
    is_link: bool = False


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of all photos; `number` counts from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """ "2/8" is the second of eight. Raises ValueError."""
        number, _, count = text.partition("/")
        shard = cls(int(number), int(count))
        if not 1 <= shard.number <= shard.count:
            raise ValueError(text)
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, name: str) -> bool:
        """Whether a photo is in this part. It depends on the photo's name only.

        Photos whose results could get the same name (a.jpg and A.png) are always in the same part.
        """
        if self.count == 1:
            return True
        stem = alike(str(PurePosixPath(name).with_name(output_stem(name))))
        digest = hashlib.sha256(stem).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


class Listing:
    """Photos in a fixed order, stored on disk because there may be very many."""

    def __init__(self) -> None:
        self.found = 0  # photos, including those outside the shard
        self.left_out: Counter[str] = Counter()  # what was not listed, by kind
        self._rows = scratch(
            "CREATE TABLE photos (rank INTEGER, name BLOB, source BLOB UNIQUE, size INTEGER,"
            " version TEXT, is_link INTEGER, PRIMARY KEY (rank, name, source)) WITHOUT ROWID;"
        )

    def add(self, entry: Entry, rank: int = 0) -> None:
        """Add a photo unless it is listed already. Photos are sorted by rank, then by name."""
        names = as_bytes(entry.name), as_bytes(entry.source)
        row = (rank, *names, entry.size, entry.version, entry.is_link)
        self._rows.execute("INSERT OR IGNORE INTO photos VALUES (?, ?, ?, ?, ?, ?)", row)

    def leave_out(self, kind: str, is_meant: Callable[[str], bool], *, links_only: bool) -> None:
        """Drop the photos, or only the links among them, for whose source `is_meant` holds."""
        self._rows.create_function("meant", 1, lambda source: is_meant(as_text(source)))
        dropped = self._rows.execute(
            "DELETE FROM photos WHERE is_link >= ? AND meant(source)", (links_only,)
        ).rowcount
        if dropped:
            self.left_out[kind] += dropped

    @property
    def missed(self) -> int:
        """Folders that could not be read, and photos whose names cannot be used."""
        return self.left_out["unreadable folder"] + self.left_out["unusable name"]

    def __len__(self) -> int:
        return int(self._rows.execute("SELECT count(*) FROM photos").fetchone()[0])

    def __iter__(self) -> Iterator[Entry]:
        rows = self._rows.execute(
            "SELECT source, name, size, version, is_link FROM photos ORDER BY rank, name, source"
        )
        for source, name, size, version, is_link in rows:
            yield Entry(as_text(source), as_text(name), size, version, bool(is_link))


class Photos:
    """The photos of a listing, each fetched when its turn comes: one in an object store to a
    temporary file, while it is needed."""

    def __init__(self, listing: Listing, store: Store | None = None, limits: Limits = _LIMITS):
        """store: where the photos are, unless they are on this machine."""
        self.listing = listing
        self._limits = limits
        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="enhance-") if store else None

    def fetch(self, entry: Entry) -> Path:
        """The photo's file on this machine. Raises OSError. Thread-safe."""
        if not self._store or not self._folder:
            return Path(entry.source)
        handle, name = tempfile.mkstemp(dir=self._folder.name)
        os.close(handle)
        if entry.size > self._limits.max_bytes:
            os.truncate(name, entry.size)  # a sparse file, which is refused for its size unread
        else:
            try:
                self._store.fetch(entry.source[len(self._store.url) + 1 :], name)
            except BaseException:  # what has arrived may be large
                self.release(Path(name))
                raise
        return Path(name)

    def release(self, path: Path) -> None:
        """Discard a file that `fetch` returned."""
        if self._store:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Discard all files that `fetch` returned."""
        if self._folder:
            self._folder.cleanup()


def named(paths: Iterable[Path]) -> Photos:
    """The given files, and the photos directly in the given folders; their names have no folder."""
    listing = Listing()
    for rank, path in enumerate(paths):
        is_folder = path.is_dir()
        folder = path if is_folder else path.parent
        inside = list_local(path, "") if is_folder else [stated(path.name, path)]
        for found in inside:
            if not is_folder or (found.kind == "file" and _is_photo(found.name)):
                source = str((folder / found.name).absolute())
                listing.add(_entry(source, found), rank)
                listing.found += 1
    return Photos(listing)


def below(root: Path, shard: Shard, skip: Path | None, tick: Callable[[], object]) -> Photos:
    """A shard of the photos in a local folder and all its subfolders, except the folder `skip`.

    tick: called for each photo. Raises OSError if the folder itself cannot be read.
    """
    root = root.absolute()
    left_out = None
    if skip is not None and real(skip).is_relative_to(real(root)):
        left_out = real(skip).relative_to(real(root)).as_posix()

    def inside(folder: str) -> Iterator[Listed]:
        return (found for found in list_local(root, folder) if found.name != left_out)

    return Photos(_listed(inside, str(root), shard, tick))


def stored(
    store: Store, shard: Shard, skip: str, tick: Callable[[], object], limits: Limits
) -> Photos:
    """The same for a folder in a store. skip: the URL of a folder to leave out."""
    left_out = f"{skip[len(store.url) + 1 :]}/" if skip.startswith(f"{store.url}/") else "\0"

    def inside(folder: str) -> Iterator[Listed]:
        found = store.list(folder)
        return (one for one in found if not f"{one.name}/".startswith(left_out))

    return Photos(_listed(inside, store.url, shard, tick), store, limits)


def _listed(
    inside: Callable[[str], Iterator[Listed]], root: str, shard: Shard, tick: Callable[[], object]
) -> Listing:
    listing = Listing()

    def usable(folder: str) -> Iterator[Listed]:
        for found in inside(folder):
            if found.kind == "file" and not _is_photo(found.name):
                continue
            try:
                safe(found.name)
            except UnsafeName as error:
                log.warning("left out: %s", error)
                listing.left_out["unusable name"] += 1
            else:
                if not any(part.startswith(".") for part in found.name.split("/")):
                    yield found

    for found in walk(usable):
        if found.kind != "file":
            listing.left_out[found.kind] += 1
        else:
            listing.found += 1
            tick()
            if shard.holds(found.name):
                source = f"{root.rstrip('/')}/{found.name}"
                listing.add(_entry(source, found))
    return listing


def _entry(source: str, found: Listed) -> Entry:
    return Entry(source, found.name, found.size, found.version, found.is_link)


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in EXTENSIONS
