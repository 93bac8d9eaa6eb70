"""The records that flow through the pipeline: frozen dataclasses without behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[Any]
"""uint8 or uint16, full range; RGB (height, width, 3) unless said otherwise."""

FloatArray: TypeAlias = NDArray[Any]
"""float32 in 0..1; RGB crops (n, 512, 512, 3) unless said otherwise."""

Checkpoint: TypeAlias = Callable[[], None]
"""Called often during the work; raises Cancelled when it should stop."""


@dataclass(frozen=True)
class EngineInfo:
    """Where the models run and how fast.

    pixel_seconds: what the bundled ×4 network takes per input pixel, timed when it was loaded.
    """

    device: str
    precision: str
    pixel_seconds: float


@dataclass(frozen=True)
class Source:
    """A photo still in its file. `name` is what its owner calls it, `path` where it lies.

    draft: wanted is a small, quick version, to look at while the full one is made.
    """

    path: Path
    name: str
    draft: bool = False

    @classmethod
    def of(cls, path: str | Path) -> Source:
        """The source of a file that is called what its path says."""
        return cls(Path(path), Path(path).name)


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright, with everything that must survive into the output.

    rgb: (height, width, 3), uint8 or uint16, in the photo's own colour space.
    alpha: (height, width) of the same dtype, or None.
    grey: the file held one channel; the output will too.
    format: Pillow's name of the file's format ("JPEG", "PNG", ...).
    icc: the colour profile, or None: sRGB.
    exif, xmp, iptc: blocks of metadata as bytes (orientation already reset), or None.
    lossless: a WebP file that changed no pixel; the output will not either.
    notes: sentences about what decoding had to change.
    draft: a shrunk photo, to be enhanced quickly rather than well.
    """

    name: str
    rgb: Pixels
    format: str
    alpha: Pixels | None = None
    grey: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    lossless: bool = False
    notes: tuple[str, ...] = ()
    draft: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


@dataclass(frozen=True)
class Upscaled:
    """An enlarged photo, (s·h, s·w, 3) of the photo's dtype. working_size: see `Report`."""

    rgb: Pixels
    working_size: float = 1.0


@dataclass(frozen=True)
class Face:
    """A detected face in photo pixels; pixel centres lie at integer coordinates.

    box: left, top, right, bottom. landmarks: eyes, nose, mouth corners, (5, 2) as nested tuples.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> float:
        """Shorter side of the box, in pixels."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)


@dataclass(frozen=True)
class Report:
    """What was done to one photo.

    faces: those that were chosen. restored: the indices into `faces` of those that were restored,
    ascending. background_precision: None without a network. working_size: at what share of its
    width and height the background's network saw the photo, on average. seconds: one entry per
    stage. Sizes are (width, height); a draft's are those of the
    shrunk photo, and so are the boxes of its faces.
    """

    name: str
    source_size: tuple[int, int]
    output_size: tuple[int, int]
    faces: tuple[Face, ...]
    restored: tuple[int, ...]
    restorer: str
    background: str
    detector: str
    masker: str
    upscale: int
    device: str
    precision: str
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    background_precision: str | None = None
    working_size: float = 1.0


@dataclass(frozen=True)
class Views:
    """Pictures of a result for a page, as JPEG.

    thumbnail: at most 480 pixels long. shown, before: the result and the photo, at most 4096
    pixels long; None where browsers can show the file itself.
    """

    thumbnail: bytes
    shown: bytes | None
    before: bytes | None


@dataclass(frozen=True)
class Result:
    """An enhanced photo, encoded. filename: that of the photo with a suffix, safe on every system;
    other photos of the same name have the same one.

    views: None when they were not asked for. layers: what `enhance.layers.repaste` needs to leave
    faces out and put them in again; None when they were not asked for, no model changed anything,
    or this is a draft.
    """

    index: int
    name: str
    filename: str
    data: bytes
    report: Report
    views: Views | None = None
    layers: bytes | None = None


@dataclass(frozen=True)
class Failure:
    """A photo that could not be enhanced. `reason` is a sentence; `kind` the error's class name."""

    index: int
    name: str
    reason: str
    kind: str
