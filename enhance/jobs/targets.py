"""Where a result may be written: nothing is replaced that was not made here.

A result gets its name if nothing is there. Where something is, it is replaced only if it is this
photo's own earlier result: the manifest says that a run put it where nothing was, and its bytes
still have the SHA-256 that the manifest remembers. A size or a modification time would be cheaper
to compare, but a retouch may keep the one and a copy loses the other, and reading a file costs
little beside making it. If the bytes there are already those of the new result, as after a crash
before the manifest was written, nothing is written at all, and the file is not taken for our own.
In all other cases the result gets a number.

So no photo is ever replaced, whatever it is called and however it is linked: photos are not put
there by a run, and the results of earlier runs are left out of the listing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Protocol

from enhance.files import numbered
from enhance.jobs.manifest_lines import Ledger


class Place(Protocol):
    """A folder for results, local or in a store. Names are relative; all methods raise OSError."""

    def exists(self, name: str) -> bool:
        """Whether anything is known to be there, even a link to nothing."""
        ...

    def digest(self, name: str, sizes: Collection[int], source: str) -> str | None:
        """The SHA-256 of what is there; None unless it is a file of one of these sizes, no link,
        and not the photo `source` itself."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write a file. Raises FileExistsError if anything is there."""

    def replace(self, name: str, data: bytes) -> None:
        """Write a file in place of the one that is there, atomically where that is possible."""


def put(place: Place, ledger: Ledger, source: str, wanted: str, data: bytes) -> tuple[str, str]:
    """Write a photo's result under the first free name: `wanted`, or the same with a number.

    Returns the name, and the SHA-256 of the result, or "" if the file was there already and may be
    somebody else's. Raises OSError.
    """
    digest = hashlib.sha256(data).hexdigest()
    for name in numbered(wanted):
        made = ledger.made(name)
        if made and made.source != source:
            continue
        if not place.exists(name):
            try:
                place.create(name, data)
                return name, digest
            except FileExistsError:  # it has appeared just now
                pass
        earlier = made.sha256 if made else None
        sizes = {len(data), made.bytes} if made and earlier else {len(data)}
        there = place.digest(name, sizes, source)
        if there == digest:
            return name, digest if there == earlier else ""
        if there and there == earlier:
            place.replace(name, data)
            return name, digest
    raise AssertionError("there is always another number")
