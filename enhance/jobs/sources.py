"""Lists the photos to do."""

from __future__ import annotations

import hashlib
import logging
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePosixPath

from enhance.files import UnsafeName, safe
from enhance.jobs.folder import Entry, Folder
from enhance.jobs.local_folder import LocalFolder, local_entry
from enhance.jobs.results import alike
from enhance.names import output_stem
from enhance.photos import EXTENSIONS

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of all photos; `number` counts from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """ "2/8" is the second of eight. Raises ArgumentTypeError."""
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(int(number), int(count))
        raise ArgumentTypeError(f"{text} is not of the form I/N; the second of eight parts is 2/8.")

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


@dataclass
class Photos:
    """Photos in a fixed order.

    store: the folder to fetch them from, unless they are on this machine. entries: the photos.
    found: how many there are, also outside the shard. left_out: what was not listed, by kind.
    """

    store: Folder | None = None
    entries: list[Entry] = field(default_factory=list)
    found: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def leave_out_results(self, made: Callable[[str], bool], *, links_only: bool) -> None:
        """Drop the photos, or only the links among them, whose source earlier runs have `made`."""
        kept = [e for e in self.entries if (links_only and not e.is_link) or not made(e.source)]
        if dropped := len(self.entries) - len(kept):
            self.left_out["earlier result"] += dropped
        self.entries = kept

    @property
    def missed(self) -> int:
        """Folders that could not be read, and photos whose names cannot be used."""
        return self.left_out["unreadable folder"] + self.left_out["unusable name"]


def named(paths: Iterable[Path]) -> Photos:
    """The given files, and the photos directly in the given folders; their names have no folder."""
    photos = Photos()
    listed: dict[str, Entry] = {}  # by source
    for path in paths:
        found = [local_entry(path.name, path.absolute(), path.is_symlink())]
        if path.is_dir():
            inside = LocalFolder(path).list("")
            found = [one for one in inside if one.kind == "file" and _is_photo(one.name)]
        photos.found += len(found)
        for entry in sorted(found, key=attrgetter("name")):
            listed.setdefault(entry.source, entry)
    photos.entries = [*listed.values()]
    return photos


def below(folder: Folder, results: Folder, shard: Shard, tick: Callable[[], object]) -> Photos:
    """A shard of the photos in a folder and all its subfolders, except the folder of the results.

    tick: called for each photo found. Raises OSError if the folder itself cannot be read,
    ValueError with a sentence if the results would be mixed with the photos.
    """
    if folder.within(results) is not None:
        raise ValueError(
            "OUT must not be SRC, nor a folder that SRC lies in: results are no photos to enhance."
        )
    photos = Photos(None if isinstance(folder, LocalFolder) else folder)
    left_out = results.within(folder)

    def is_wanted(entry: Entry) -> bool:
        if entry.kind == "file" and not _is_photo(entry.name):
            return False
        if left_out is not None and f"{entry.name}/".startswith(f"{left_out}/"):
            return False
        try:
            safe(entry.name)
        except UnsafeName as error:
            log.warning("left out: %s", error)
            photos.left_out["unusable name"] += 1
            return False
        return not any(part.startswith(".") for part in entry.name.split("/"))

    for entry in folder.walk(is_wanted):
        if entry.kind != "file":
            photos.left_out[entry.kind] += 1
        else:
            photos.found += 1
            tick()
            if shard.holds(entry.name):
                photos.entries.append(entry)
    photos.entries.sort(key=attrgetter("name"))
    return photos


def _is_photo(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in EXTENSIONS
