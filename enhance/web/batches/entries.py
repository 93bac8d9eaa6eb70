"""The photos of a batch and their results, as they are kept on the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from enhance.options import Options
from enhance.records import Failure, Report, Source
from enhance.reports import Outcome

State = Literal["waiting", "running", "done", "failed", "stopped"]


@dataclass
class Version:
    """One result of enhancing a photo; enhancing it again adds another version.

    shown: the picture that a browser displays at full size. detail: a part of it at 100 %.
    restorable: the faces (indices in the report) that can be switched off and on, from `layers`.
    over: pictures of the background and the faces that a browser lays over the photo; made on
        demand.
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
    over: tuple[Path, Path] | None = None
    marks: Path | None = None


@dataclass
class Entry:
    """One photo of a batch. `before` is the photo itself until there is a picture of it that
    browsers can show; `preview` and `draft` are such pictures.

    preview: a small picture of the photo as it was sent, or of a photo that cannot be read.
    failure: why the last attempt failed. Versions from earlier attempts are kept.
    marks: what is repaired instead of what is found, if a person has changed the marks; as in
        `Source.marks`.
    """

    source: Source
    size: tuple[int, int] | None
    before: Path
    state: State = "waiting"
    preview: Path | None = None
    draft: Path | None = None
    versions: list[Version] = field(default_factory=list)
    chosen: int = 0
    compared: int | None = None  # the version on the left of the viewer; None: the photo itself
    failure: Failure | None = None
    marks: bytes | None = None

    @property
    def version(self) -> Version | None:
        """The chosen version, which is shown and downloaded."""
        return self.versions[self.chosen] if self.versions else None

    @property
    def thumbnail(self) -> Path | None:
        """A small picture of the result, or the quick preview."""
        return self.version.thumbnail if self.version else self.draft

    @property
    def outcome(self) -> Outcome | None:
        """The report of the chosen version, or the failure if there is none."""
        return self.version.report if self.version else self.failure
