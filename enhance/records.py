"""The records that flow through the pipeline: frozen dataclasses, no behaviour but validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from numpy.typing import NDArray

from enhance.catalogue import option_values
from enhance.errors import OptionsError
from enhance.i18n import Sentence, say

Pixels: TypeAlias = NDArray[Any]
"""uint8 or uint16, full range; RGB (height, width, 3) unless said otherwise."""

Mask: TypeAlias = NDArray[Any]
"""bool, (height, width): what is meant of a photo."""

FloatArray: TypeAlias = NDArray[Any]
"""float32 in 0..1; RGB crops (n, 512, 512, 3) unless said otherwise."""

Checkpoint: TypeAlias = Callable[[], None]
"""Called often during the work; raises Cancelled when it should stop."""

FaceChoice = Literal["all", "largest", "center"]
OutputFormat = Literal["same", "jpeg", "png", "webp"]
Metadata = Literal["keep", "no-location", "strip"]
WorkingSize = Literal["auto", "full"]
FaceColours = Literal["photo", "model"]
Switch = Literal["off", "auto"]
UPSCALES = (1, 2, 3, 4)


@dataclass(frozen=True)
class Setup:
    """What to load. Changing it means loading the models again."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    weights: Path | None = None  # a weight file, or a folder that is searched first


@dataclass(frozen=True)
class Limits:
    """What a photo, a batch and a server may be asked for. All are whole numbers from 1.

    max_bytes, max_pixels: of a photo, checked before it is decoded. max_output_pixels: of its
    result. max_seconds: at the model, for one photo; the default is more than any photo within
    the other limits takes on a small CPU. max_photos: of a batch. max_waiting: batches.
    max_disk_bytes: uploads and results together. max_request_bytes: uploaded at once.
    max_uploads_per_minute, max_upload_bytes_per_minute: of one client's address.
    """

    max_bytes: int = 100_000_000
    max_pixels: int = 64_000_000
    max_output_pixels: int = 300_000_000
    max_seconds: int = 4 * 3600
    max_photos: int = 500
    max_waiting: int = 64
    max_disk_bytes: int = 50_000_000_000
    max_request_bytes: int = 4_000_000_000
    max_uploads_per_minute: int = 1200
    max_upload_bytes_per_minute: int = 8_000_000_000


@dataclass(frozen=True)
class Options:
    """How to enhance. Changing it loads nothing again.

    upscale: final size relative to the photo: 1, 2, 3 or 4.
    restorer: the face model; "none" leaves faces to the background upscaler, "auto" takes the
        best whose weights are on this machine.
    weight: 0 keeps the faces of the photo, 1 takes the restored ones.
    background: "lanczos" (instant), "compact" (clean, seconds on a CPU), "realesrgan" (sharp,
        slow on a CPU), "realesr-general-x4v3" (nearly as sharp, much faster),
        "realesrgan-x2plus"; "auto" by device.
    background_weight: 0 keeps the background as it is, 1 takes the cleaned one.
    working_size: "auto" lets "realesrgan" work on soft parts of a photo at a half or a third of
        their size, "full" never does.
    face_colours: "photo" keeps the photo's colours in restored faces, "model" takes the model's.
    repair: "auto" finds scratches, creases, dust and specks, and fills them in.
    repair_sensitivity: 0 repairs only what is certainly damage, 1 what is likely to be.
    tone: "auto" undoes the fading and the cast of old prints; clean photos stay as they are.
    tone_strength: 0 leaves the colours as they are, 1 undoes their fading wholly.
    faces: which faces are restored.
    only_restore_blurred: leave faces alone that are sharp already.
    detector, masker: "retinaface-r50" and "parsenet" are what GFPGAN itself uses.
    face_threshold: how sure the detector must be, 0..1.
    min_face: smallest face to restore, in pixels of the photo (shorter side of its box).
    tile: edge of the square tiles the background model works on, in photo pixels.
    format: "same" keeps the photo's own format.
    quality: JPEG/WebP/HEIC/AVIF quality, 1..100.
    metadata: "keep" keeps EXIF, XMP and IPTC, "no-location" all but where the photo was taken,
        "strip" none of it.
    """

    upscale: int = 2
    restorer: str = "auto"
    weight: float = 1.0
    background: str = "auto"
    background_weight: float = 1.0
    working_size: WorkingSize = "auto"
    face_colours: FaceColours = "photo"
    repair: Switch = "off"
    repair_sensitivity: float = 0.5
    tone: Switch = "off"
    tone_strength: float = 1.0
    faces: FaceChoice = "all"
    only_restore_blurred: bool = False
    detector: str = "retinaface-mobilenet"
    masker: str = "feather"
    face_threshold: float = 0.8
    min_face: int = 16
    tile: int = 512
    format: OutputFormat = "same"
    quality: int = 95
    metadata: Metadata = "keep"

    def __post_init__(self) -> None:
        def require(ok: bool, sentence: Sentence) -> None:
            if not ok:
                raise OptionsError(sentence)

        require(
            self.upscale in UPSCALES,
            say("upscale must be 1, 2, 3 or 4, not {value}.", value=self.upscale),
        )
        for name, allowed in (
            ("restorer", option_values("restorer")),
            ("background", option_values("background")),
            ("working_size", get_args(WorkingSize)),
            ("face_colours", get_args(FaceColours)),
            ("repair", get_args(Switch)),
            ("tone", get_args(Switch)),
            ("faces", get_args(FaceChoice)),
            ("detector", option_values("detector")),
            ("masker", option_values("masker")),
            ("format", get_args(OutputFormat)),
            ("metadata", get_args(Metadata)),
        ):
            value = getattr(self, name)
            require(
                value in allowed,
                say(
                    "{name} must be one of {allowed}, not {value!r}.",
                    name=name,
                    allowed=", ".join(allowed),
                    value=value,
                ),
            )
        for name in ("weight", "background_weight", "repair_sensitivity", "tone_strength"):
            value = getattr(self, name)
            require(
                0 <= value <= 1,
                say("{name} must be between 0 and 1, not {value}.", name=name, value=value),
            )
        require(
            0 < self.face_threshold < 1,
            say("face_threshold must be between 0 and 1, not {value}.", value=self.face_threshold),
        )
        require(
            self.min_face >= 1,
            say("min_face must be at least 1 pixel, not {value}.", value=self.min_face),
        )
        require(
            32 <= self.tile <= 4096,
            say("tile must be between 32 and 4096, not {value}.", value=self.tile),
        )
        require(
            1 <= self.quality <= 100,
            say("quality must be between 1 and 100, not {value}.", value=self.quality),
        )


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
    width and height the background's network saw the photo, on average. repaired: share of the
    photo's pixels that were marked as damaged and filled in. toned: how much of it was put right,
    0..1; 0 when the photo had not faded. seconds: one entry per
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
    repaired: float = 0.0
    toned: float = 0.0


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
