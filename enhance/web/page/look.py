"""What a person looks at in a batch, in one tab of a browser; other tabs look at what they like."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from weakref import WeakKeyDictionary

import gradio as gr

from enhance.web.batches.batch import Batch
from enhance.web.batches.entries import Entry, Version
from enhance.web.batches.store import BatchStore
from enhance.web.language import Language, language_of, toast

_TABS = 50  # of a batch that are remembered


@dataclass
class Look:
    """Kept between the events of a tab.

    photo: the photo in the viewer; None until there is one to look at.
    table: the table of details is open.
    changed: when another photo or version was picked last, seconds since 1970.
    sides: by photo, the versions that were picked for the left (None: the photo itself) and the
        right of the viewer, by their indices.
    """

    photo: Entry | None = None
    table: bool = False
    changed: float = field(default_factory=time.time)
    sides: dict[Entry, tuple[int | None, int]] = field(default_factory=dict)


# By session; made when first asked for. By batch, so that nobody makes other people's tabs forget.
_LOOKS: WeakKeyDictionary[Batch, Callable[[str], Look]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Tab:
    """A tab of a browser as one event finds it: its batch, what it looks at, its language."""

    batch: Batch
    session: str
    look: Look
    language: Language

    @classmethod
    def of(cls, batches: BatchStore, key: str, request: gr.Request) -> Tab:
        """The tab that sent the request, with the batch of this key; raises gr.Error if that has
        expired."""
        batch, session, language = batches.get(key), str(request.session_hash), language_of(request)
        if batch is None or not batch.entries:
            raise toast("These results have expired. Enhance the photos again.", language)
        look = _LOOKS.setdefault(batch, lru_cache(_TABS)(lambda _: Look()))(session)
        return cls(batch, session, look, language)

    @property
    def entry(self) -> Entry:
        """The photo in the viewer: the first one to have a picture, until another is picked."""
        entries = self.batch.entries
        if self.look.photo not in entries:
            self.look.photo = next((entry for entry in entries if entry.versions), None)
        return self.look.photo or entries[0]

    @property
    def sides(self) -> tuple[int | None, int | None]:
        """The versions on the left and right of the viewer; None: the photo itself, or a preview.
        Unless others were picked: the newest version, beside the one before it if that was made
        with other settings."""
        if self.entry in self.look.sides:
            return self.look.sides[self.entry]
        versions = self.entry.versions
        newest = len(versions) - 1
        if newest > 0 and versions[newest].options != versions[newest - 1].options:
            return newest - 1, newest
        return None, (newest if versions else None)

    @property
    def version(self) -> Version | None:
        """The version on the right of the viewer."""
        _, right = self.sides
        return None if right is None else self.entry.versions[right]

    @property
    def picks(self) -> dict[int, int]:
        """The versions that were picked, which count for downloads: see `Batch.versions`."""
        sides, entries = self.look.sides, enumerate(self.batch.entries)
        return {index: sides[entry][1] for index, entry in entries if entry in sides}

    def go_to(self, index: object) -> None:
        """Look at another photo; ignores what is no index."""
        if isinstance(index, int):
            last = len(self.batch.entries) - 1
            self.look.changed = time.time()
            self.look.photo = self.batch.entries[max(0, min(index, last))]

    def compare(self, left: int | None, right: int) -> None:
        """Pick versions of the photo in the viewer."""
        self.look.changed = time.time()
        self.look.sides[self.entry] = left, right

    def remove(self, index: int) -> None:
        """Take a photo out of the batch, unless that is being worked on, and look at the next."""
        seen = self.look.photo is self.batch.entries[index]
        if self.batch.remove(index) and self.batch.entries and seen:
            self.go_to(index)

    def forget(self, entries: list[Entry]) -> None:
        """Look at the newest version of these photos."""
        for entry in entries:
            self.look.sides.pop(entry, None)
