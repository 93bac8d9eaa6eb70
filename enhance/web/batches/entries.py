"""The photos of a batch and their results, as they are kept on the server, and their files."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance.errors import EnhanceError
from enhance.files import safe, write_bytes
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER
from enhance.pipeline.reports import Outcome
from enhance.pipeline.views import preview
from enhance.records import Failure, Report, Result, Source, Views
from enhance.web.batches.disk_shares import delete

log = logging.getLogger(__name__)

State = Literal["new", "waiting", "running", "done", "failed", "stopped"]

_UNREADABLE = Path(__file__).with_name("unreadable.svg")


@dataclass(eq=False)
class Version:
    """One result of enhancing a photo; enhancing it again adds another version.

    shown: the picture that a browser displays at full size. detail: a part of it at 100 %.
    restorable: the faces (indices in the report) that can be switched off and on, from `layers`.
    marks: a picture of what was repaired; None if that was not asked for.
    """

    options: Options
    report: Report
    file: Path
    shown: Path
    thumbnail: Path
    detail: Path
    layers: Path | None
    restorable: tuple[int, ...]
    marks: Path | None = None

    @property
    def files(self) -> set[Path | None]:
        """All of its files; None for those that it does not have."""
        return {self.file, self.layers, self.marks, self.shown, self.thumbnail, self.detail}


@dataclass(eq=False)
class Entry:
    """One photo of a batch. `before` is the photo itself until there is a picture of it that
    browsers can show; `preview` is such a picture.

    sent: the upload that `source` is a link to.
    preview: a small picture of the photo as it was sent, or of a photo that cannot be read.
    failure: why the last attempt failed. Versions from earlier attempts are kept.
    marks: what is repaired instead of what is found, if a person has changed the marks; as in
        `Source.marks`.
    """

    source: Source
    sent: Path
    size: tuple[int, int] | None
    before: Path
    state: State = "new"
    preview: Path | None = None
    versions: list[Version] = field(default_factory=list)
    failure: Failure | None = None
    marks: bytes | None = None

    @property
    def pending(self) -> bool:
        """It is being enhanced, or will be."""
        return self.state in ("waiting", "running")

    @property
    def version(self) -> Version | None:
        """The newest version."""
        return self.versions[-1] if self.versions else None

    def numbered(self, number: int) -> Version | None:
        """The version of this number, from 0; the newest if there is none."""
        return self.versions[number] if 0 <= number < len(self.versions) else self.version

    @property
    def files(self) -> set[Path]:
        """The files of the photo and of its versions, wherever they are."""
        photo = {self.source.path, self.before, self.preview}
        return {path for path in photo.union(*(each.files for each in self.versions)) if path}

    @property
    def outcome(self) -> Outcome | None:
        """The report of the newest version, or the failure if there is none."""
        return self.version.report if self.version else self.failure


@dataclass
class BatchFiles:
    """The files of one batch, all in `folder`: results, and the pictures with which a browser shows
    photos. Saving raises OSError, and so does `take` if there is no room for so many bytes."""

    folder: Path
    take: Callable[[int], None]
    _serial: Iterator[int] = field(default_factory=itertools.count)

    def save(self, name: str, data: bytes) -> Path:
        """Save a file in a folder of its own, so that it keeps its name."""
        self.take(len(data))
        folder = self.folder / str(next(self._serial))
        folder.mkdir()
        return write_bytes(folder / safe(name), data)

    def delete(self, entry: Entry) -> None:
        """Delete an entry's files, but nothing that is elsewhere, such as an upload."""
        for path in entry.files:
            if path.is_relative_to(self.folder):
                delete(self.folder / path.relative_to(self.folder).parts[0])

    def version(self, options: Options, result: Result, name: str) -> Version:
        """Save a result under this name, and its pictures."""
        file = self.save(name, result.data)
        layers = self.save("layers", result.layers) if result.layers else None
        restorable = result.report.restored if layers else ()
        marks = self.save("marks.png", result.marks) if result.marks else None
        report = result.report
        version = Version(options, report, file, file, file, file, layers, restorable, marks=marks)
        self.picture(version, file, result.views)
        return version

    def picture(self, version: Version, file: Path, views: Views | None) -> None:
        """Set a version's file and the pictures that show it; where those cannot be saved, the file
        itself shows it."""
        version.file = version.shown = version.thumbnail = version.detail = file
        try:
            if views:
                version.thumbnail = self.save("thumbnail.jpg", views.thumbnail)
                version.detail = self.save("detail.jpg", views.detail)
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
