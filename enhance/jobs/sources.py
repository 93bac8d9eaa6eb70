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

from enhance.files import UnsafeName, safe
from enhance.jobs.folder import Entry, Folder, find_folder, local_entry
from enhance.jobs.manifest_lines import alike, as_bytes, as_text, scratch
from enhance.limits import Limits
from enhance.photos import EXTENSIONS, output_stem

log = logging.getLogger(__name__)

LARGEST = Limits().max_bytes
"""The most bytes of a photo that is read."""


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

    def leave_out_results(self, made: Callable[[str], bool], *, links_only: bool) -> None:
        """Drop the photos, or only the links among them, whose source earlier runs have `made`."""
        self._rows.create_function("made", 1, lambda source: made(as_text(source)))
        dropped = self._rows.execute(
            "DELETE FROM photos WHERE is_link >= ? AND made(source)", (links_only,)
        ).rowcount
        if dropped:
            self.left_out["earlier result"] += dropped

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

    def __init__(self, listing: Listing, store: Folder | None = None) -> None:
        """store: where the photos are, unless they are on this machine."""
        self.listing = listing
        self._store = store
        self._folder = tempfile.TemporaryDirectory(prefix="enhance-") if store else None

    def fetch(self, entry: Entry) -> Path:
        """The photo's file on this machine. Raises OSError. Thread-safe."""
        if not self._store or not self._folder:
            return Path(entry.source)
        handle, name = tempfile.mkstemp(dir=self._folder.name)
        os.close(handle)
        if entry.size > LARGEST:
            os.truncate(name, entry.size)  # a sparse file, which is refused for its size unread
        else:
            try:
                self._store.fetch(entry.name, name)
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
        found = iter([local_entry(path.name, path.absolute(), path.is_symlink())])
        if path.is_dir():
            inside = find_folder(str(path)).list("")
            found = (one for one in inside if one.kind == "file" and _is_photo(one.name))
        for entry in found:
            listing.found += 1
            listing.add(entry, rank)
    return Photos(listing)


def below(folder: Folder, results: Folder, shard: Shard, tick: Callable[[], object]) -> Photos:
    """A shard of the photos in a folder and all its subfolders, except the folder of the results.

    tick: called for each photo found. Raises OSError if the folder itself cannot be read,
    ValueError with a sentence if the results would be mixed with the photos.
    """
    if folder.within(results) is not None:
        raise ValueError(
            "OUT must not be SRC, nor a folder that SRC lies in: results are no photos to enhance."
        )
    listing, left_out = Listing(), results.within(folder)

    def is_wanted(entry: Entry) -> bool:
        if entry.kind == "file" and not _is_photo(entry.name):
            return False
        if left_out is not None and f"{entry.name}/".startswith(f"{left_out}/"):
            return False
        try:
            safe(entry.name)
        except UnsafeName as error:
            log.warning("left out: %s", error)
            listing.left_out["unusable name"] += 1
            return False
        return not any(part.startswith(".") for part in entry.name.split("/"))

    for entry in folder.walk(is_wanted):
        if entry.kind != "file":
            listing.left_out[entry.kind] += 1
        else:
            listing.found += 1
            tick()
            if shard.holds(entry.name):
                listing.add(entry)
    return Photos(listing, None if folder.is_local else folder)


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in EXTENSIONS
