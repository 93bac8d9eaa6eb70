"""The records that flow through the pipeline: frozen dataclasses without behavior."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[Any]
"""uint8 or uint16, full range; RGB (height, width, 3) unless said otherwise."""

Mask: TypeAlias = NDArray[Any]
"""bool, (height, width): the selected pixels."""

FloatArray: TypeAlias = NDArray[Any]
"""float32 in 0..1; RGB crops (n, 512, 512, 3) unless said otherwise."""

StopCheck: TypeAlias = Callable[[], None]
"""Called often during long work; raises Cancelled when the work should stop."""


@dataclass(frozen=True)
class EngineInfo:
    """Where the models run and how fast.

    pixel_seconds: seconds per input pixel of a model whose cost is 1, as timed when models were
        loaded; see `ModelSpec`.
    """

    device: str
    precision: str
    pixel_seconds: float


@dataclass(frozen=True)
class Source:
    """A photo that has not been decoded yet: the file at `path`, which its owner calls `name`.

    number: its position in the batch, from 1, in case the result is named by it.
    marks: what to repair (see `enhance.repair.marks`), where a person has said so.
    whole: refuse a file that is cut off, which may still be being copied.
    """

    path: Path
    name: str
    number: int = 1
    marks: bytes | None = None
    whole: bool = False

    @classmethod
    def of(cls, path: str | Path) -> Source:
        """The source for a file that is named after its path."""
        return cls(Path(path), Path(path).name)


@dataclass(frozen=True)
class Photo:
    """A decoded photo, upright, with everything that must survive into the output.

    rgb: (height, width, 3), uint8 or uint16, in the photo's own color space.
    alpha: (height, width) of the same dtype, or None.
    gray: the file has one color channel, and so will the output.
    format: Pillow's name for the file's format ("JPEG", "PNG", ...).
    icc: the color profile; None means sRGB.
    exif, xmp, iptc: blocks of metadata as bytes (orientation already reset), or None.
    lossless: the file is a lossless WebP, and so will be the output.
    turned: the file stores its pixels turned or mirrored, and says so.
    notes: sentences about what decoding had to change.
    marks: which pixels to repair, (height, width), where a person has said so.
    """

    name: str
    rgb: Pixels
    format: str
    alpha: Pixels | None = None
    gray: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    lossless: bool = False
    turned: bool = False
    notes: tuple[str, ...] = ()
    marks: Mask | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


@dataclass(frozen=True)
class Upscaled:
    """A resized photo, (h, w, 3) of the photo's dtype.

    precision: of the network; None if there was none.
    """

    rgb: Pixels
    precision: str | None = None


@dataclass(frozen=True)
class Face:
    """A detected face in photo pixels; pixel centers lie at integer coordinates.

    box: left, top, right, bottom. landmarks: eyes, nose, mouth corners, (5, 2) as nested tuples.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]

    @property
    def center(self) -> tuple[float, float]:
        """Middle of the box."""
        left, top, right, bottom = self.box
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> float:
        """Shorter side of the box, in pixels."""
        left, top, right, bottom = self.box
        return min(right - left, bottom - top)


@dataclass(frozen=True)
class Findings:
    """What was seen of a photo before anything was done to it; see `enhance.pipeline.findings`.

    noise: its standard deviation, in gray levels of 0..255.
    blocks: by how many gray levels the borders of JPEG's squares stand out.
    detail: how much of the contrast at a scale of two pixels there is at that of one: below 0.2 in
        blurry photos, up to 1.7 in sharp ones.
    damage: share of the pixels that certainly belong to scratches, creases, dust or specks.
    faded: how certain it is that nothing is black any more, or that it has yellowed, 0..1.
    yellowed: how certain it is that it has no colors but a yellow or brown tint, 0..1.
    black, white: the darkest and the lightest value in any channel, 0..1.
    gray: there are no colors, except for a tint.
    faces: everything that may be a face, largest first.
    """

    noise: float
    blocks: float
    detail: float
    damage: float
    faded: float
    yellowed: float
    black: float
    white: float
    gray: bool
    faces: tuple[Face, ...]


@dataclass(frozen=True)
class Report:
    """What was done to one photo. Sizes are (width, height).

    faces: the faces that were selected.
    restored: ascending indices into `faces` of those that were restored.
    upscale: how many times longer the longer side has become, to three decimals.
    background_precision: None if no network enlarged the background.
    repaired: share of the photo's pixels that were marked as damaged and filled in.
    fill: what filled them in; None if there were none.
    toned: how much of the fading was undone, 0..1; 0 if the photo had not faded.
    colorized: how strong the colors are that it was given, 0..1; 0 if none.
    findings: what was seen of the photo; None if no option asked what it needs.
    reasons: why steps were taken or not, or a model was chosen, by the options that left it open.
    seconds: one entry per stage.
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
    upscale: float
    device: str
    precision: str
    seconds: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    background_precision: str | None = None
    repaired: float = 0.0
    fill: str | None = None
    toned: float = 0.0
    colorized: float = 0.0
    findings: Findings | None = None
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Views:
    """JPEG pictures with which a page shows a result.

    thumbnail: longer side at most 480 pixels.
    detail: a part of the result at 100 %, the same for all results of a photo.
    shown, before: the result and the photo, longer side at most 4096 pixels; None if browsers can
        show the file itself.
    """

    thumbnail: bytes
    detail: bytes
    shown: bytes | None
    before: bytes | None


@dataclass(frozen=True)
class Result:
    """An enhanced and encoded photo.

    filename: made by the options' pattern, valid on every system; not unique in a batch.
    views: None unless requested.
    layers: what `repaste` of `enhance.pipeline.layers` needs to switch faces off and on again; None
        unless requested, and if no model changed anything.
    marks: what was repaired, see `enhance.repair.marks`; None unless requested, and if nothing was
        to be repaired.
    """

    index: int
    name: str
    filename: str
    data: bytes
    report: Report
    views: Views | None = None
    layers: bytes | None = None
    marks: bytes | None = None


@dataclass(frozen=True)
class Failure:
    """A photo that could not be enhanced. `reason` is a sentence; `kind` the error's class name."""

    index: int
    name: str
    reason: str
    kind: str
