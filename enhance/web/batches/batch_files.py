"""The files of one batch: results, and the pictures with which a browser shows photos."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from enhance.errors import EnhanceError
from enhance.files import safe, write_bytes
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER
from enhance.records import Result, Views
from enhance.views import preview
from enhance.web.batches.entries import Entry, Version

log = logging.getLogger(__name__)

_UNREADABLE = Path(__file__).with_name("unreadable.svg")


@dataclass
class BatchFiles:
    """All in `folder`. Saving raises OSError."""

    folder: Path
    _serial: Iterator[int] = field(default_factory=itertools.count)

    def save(self, name: str, data: bytes) -> Path:
        """Save a file in a folder of its own, so that it keeps its name."""
        folder = self.folder / str(next(self._serial))
        folder.mkdir()
        return write_bytes(folder / safe(name), data)

    def version(self, options: Options, result: Result, name: str) -> Version:
        """Save a result under this name, and its pictures."""
        file = self.save(name, result.data)
        layers = self.save("layers", result.layers) if result.layers else None
        restorable = result.report.restored if layers else ()
        marks = self.save("marks.png", result.marks) if result.marks else None
        report = result.report
        version = Version(options, report, file, file, file, layers, restorable, marks=marks)
        self.picture(version, file, result.views)
        return version

    def picture(self, version: Version, file: Path, views: Views | None) -> None:
        """Set a version's file and the pictures that show it; where those cannot be saved, the file
        itself shows it."""
        version.file = version.shown = version.thumbnail = file
        try:
            if views:
                version.thumbnail = self.save("thumbnail.jpg", views.thumbnail)
            if views and views.shown:
                version.shown = self.save("shown.jpg", views.shown)
        except OSError:
            log.exception("a picture to look at could not be saved")

    def show_source(self, entry: Entry, views: Views | None) -> None:
        """Set `before` to the photo itself, or to a copy if browsers cannot show it."""
        if not entry.versions:
            before = views.before if views else None
            entry.before = self.save("before.jpg", before) if before else entry.source.path

    def preview(self, entry: Entry, limits: Limits) -> Path:
        """A small picture of the photo as it was sent, made when it is first asked for."""
        if entry.preview is None:
            try:
                data = DECODER.run(preview, entry.source, entry.source, limits)
                entry.preview = self.save("preview.jpg", data)
            except (EnhanceError, OSError) as error:  # the photo's turn will tell what is wrong
                log.info("a photo has no preview: %s", type(error).__name__)
                entry.preview = _UNREADABLE
        return entry.preview
