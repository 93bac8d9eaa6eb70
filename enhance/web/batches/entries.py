"""The photos of a batch and their results, as they are kept on the server, with their files."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance.errors import EnhanceError, NotSaved
from enhance.files import safe, write_bytes
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos import DECODER
from enhance.pipeline.reports import Outcome
from enhance.pipeline.views import preview
from enhance.records import Failure, Report, Result, Source, Views

log = logging.getLogger(__name__)

State = Literal["new", "waiting", "running", "done", "failed", "stopped"]

_UNREADABLE = Path(__file__).with_name("unreadable.svg")


@dataclass(eq=False)
class Version:
    """One result of enhancing a photo; enhancing it again adds another version.

    shown: the picture that a browser displays at full size. detail: a part of it at 100 %.
    restorable: the faces (indices in the report) that can be switched off and on, from `layers`.
    marks: a picture of what was repaired; None if that was not asked for. made_with: the options as
        they were before a step was switched, by which its seconds are judged.
    """

    options: Options
    made_with: Options
    report: Report
    file: Path
    shown: Path
    thumbnail: Path
    detail: Path
    layers: Path | None
    restorable: tuple[int, ...]
    marks: Path | None = None


@dataclass(eq=False)
class Entry:
    """One photo of a batch. `before` is the photo itself until there is a picture of it that
    browsers can show; `preview` is such a picture.

    sent: the upload that `source` is a link to.
    folder: everything that is kept of the photo, and nothing else.
    take: asks for room for so many more bytes; raises OSError if there is none.
    preview: a small picture of the photo as it was sent, or of a photo that cannot be read.
    failure: why the last attempt failed. Versions from earlier attempts are kept.
    marks: what is repaired instead of what is found, if a person has changed the marks; as in
        `Source.marks`.
    """

    source: Source
    sent: Path
    size: tuple[int, int] | None
    before: Path
    folder: Path
    take: Callable[[int], None]
    state: State = "new"
    preview: Path | None = None
    versions: list[Version] = field(default_factory=list)
    failure: Failure | None = None
    marks: bytes | None = None
    _files: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pending(self) -> bool:
        """It is being enhanced, or will be."""
        return self.state in ("waiting", "running")

    @property
    def version(self) -> Version | None:
        """The newest version."""
        return self.versions[-1] if self.versions else None

    def wait(self) -> None:
        """It will be enhanced; why that failed before counts no more."""
        self.state, self.failure = "waiting", None

    def numbered(self, number: int) -> Version | None:
        """The version of this number, from 0; the newest if there is none."""
        return self.versions[number] if 0 <= number < len(self.versions) else self.version

    @property
    def outcome(self) -> Outcome | None:
        """The report of the newest version, or the failure if there is none."""
        return self.version.report if self.version else self.failure

    def save(self, name: str, data: bytes) -> Path:
        """Save a file in a folder of its own, so that it keeps its name. Raises OSError."""
        self.take(len(data))
        folder = self.folder / str(next(self._files))
        folder.mkdir()
        return write_bytes(folder / safe(name), data)

    def new_version(self, options: Options, result: Result, name: str) -> Version:
        """A version whose result is saved under this name, with its pictures. Raises OSError."""
        report = result.report
        file = self.save(name, result.data)
        layers = self.save("layers", result.layers) if result.layers else None
        restorable = report.restored if layers else ()
        marks = self.save("marks.png", result.marks) if result.marks else None
        version = Version(
            options, options, report, file, file, file, file, layers, restorable, marks
        )
        self.picture(version, file, result.views)
        if not self.versions and result.views and result.views.before:
            self.before = self.save("before.jpg", result.views.before)
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

    def previewed(self, limits: Limits) -> Path:
        """`preview`, made when it is first asked for."""
        if self.preview is None:
            try:
                data = DECODER.run(preview, self.source, self.source, limits)
                self.preview = self.save("preview.jpg", data)
            except (EnhanceError, OSError) as error:  # the photo's turn will tell what is wrong
                log.info("a photo has no preview: %s", type(error).__name__)
                self.preview = _UNREADABLE
        return self.preview


Job = tuple[list[Entry], Options]
"""Photos, and with what they are enhanced."""

Picks = Mapping[int, int]
"""By photo, the version that counts, both by their indices; for other photos it is the newest."""


@contextmanager
def saving(name: str) -> Iterator[None]:
    """Turn an OSError in the block into a NotSaved about the photo of this name."""
    try:
        yield
    except OSError as error:
        log.exception("a result could not be saved")
        raise NotSaved.because(name, error) from error
