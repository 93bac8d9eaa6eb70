"""What can be chosen: which models to load (`Setup`) and how to enhance a photo (`Options`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from enhance.errors import OptionsError
from enhance.i18n import Sentence, say
from enhance.models.catalogue import models, option_values
from enhance.name_pattern import USUAL_NAME, check_pattern

FaceChoice = Literal["all", "largest", "center"]
OutputFormat = Literal["same", "jpeg", "png", "webp"]
Metadata = Literal["keep", "no-location", "strip"]
WorkingSize = Literal["auto", "full"]
FaceColours = Literal["photo", "model"]
Switch = Literal["off", "auto"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
UPSCALES = (0.25, 4)
"""The smallest and the largest `Options.upscale`."""
LONGEST_SIDE = 65_535
"""The largest `Options.longer_side`, in pixels."""
_SHARES = ("weight", "background_weight", "repair_sensitivity", "tone_strength", "colorize")


@dataclass(frozen=True)
class Setup:
    """What to load. Changing it reloads the models."""

    device: DeviceName = "auto"
    precision: Precision = "auto"
    weights: Path | None = None  # a weight file, or a folder that is searched first


@dataclass(frozen=True)
class Options:
    """How to enhance a photo. Changing it reloads nothing.

    upscale: final size relative to the photo, from 0.25 to 4; below 1 the result is smaller.
    longer_side: length of the result's longer side in pixels, in place of `upscale`; 0 leaves the
        size to `upscale`.
    restorer: the face model; "none" leaves faces to the background upscaler, "auto" takes the
        best one whose weights are on this machine.
    weight: 0 keeps the photo's own faces, 1 takes the restored ones; values between blend them.
    background: "lanczos" (instant), "compact" (clean, seconds on a CPU), "realesrgan" (sharp,
        slow on a CPU), "realesr-general-x4v3" (nearly as sharp, much faster),
        "realesrgan-x2plus"; "auto" depends on the device.
    background_weight: 0 keeps the background as it is, 1 takes the cleaned one; values between
        blend them.
    working_size: "auto" lets "realesrgan" process blurry parts of a photo at a half or a third of
        their size, "full" does not.
    face_colours: "photo" keeps the photo's colours in restored faces, "model" takes the model's.
    repair: "auto" finds scratches, creases, dust and specks, and fills them in.
    repair_sensitivity: 0 repairs only what is certainly damage, 1 what is likely to be.
    fill: how damage is filled in: "opencv", or a LaMa of the models folder for what is wider than
        scratches; "auto" takes such a model if there is one.
    tone: "auto" undoes the fading and the cast of old prints; clean photos stay as they are.
    tone_strength: 0 leaves the colours as they are, 1 undoes their fading completely.
    colorize: how strong the colours are that a grey photo gets from a DDColor of the models folder;
        0 leaves it grey.
    faces: which faces are restored.
    only_restore_blurred: leave faces that are already sharp as they are.
    detector, masker: "retinaface-r50" and "parsenet" are what GFPGAN itself uses.
    face_threshold: the lowest detector score that counts as a face, 0..1.
    min_face: smallest face to restore, in pixels of the photo (shorter side of its box).
    tile: side of the square tiles that the background model works on, in photo pixels.
    format: "same" keeps the photo's own format.
    quality: JPEG/WebP/HEIC/AVIF quality, 1..100.
    metadata: "keep" keeps EXIF, XMP and IPTC, "no-location" removes where the photo was taken,
        "strip" removes all of it.
    name: pattern for the names of the results, without extension. In it {stem} stands for the
        photo's name, {index} for its position in the batch from 001, {upscale}, {restorer} and
        {background} for what was used.
    """

    upscale: float = 2
    longer_side: int = 0
    restorer: str = "auto"
    weight: float = 1.0
    background: str = "auto"
    background_weight: float = 1.0
    working_size: WorkingSize = "auto"
    face_colours: FaceColours = "photo"
    repair: Switch = "off"
    repair_sensitivity: float = 0.5
    fill: str = "auto"
    tone: Switch = "off"
    tone_strength: float = 1.0
    colorize: float = 0.0
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
    name: str = USUAL_NAME

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the result for a photo of `size`."""
        scale = self.longer_side / max(size) if self.longer_side else self.upscale
        width, height = (max(1, round(side * scale)) for side in size)
        return width, height

    @staticmethod
    def choices() -> dict[str, Sequence[str]]:
        """The values that options of a few words may have, by the option's name."""
        return {
            "restorer": option_values("restorer"),
            "background": option_values("background"),
            "working_size": get_args(WorkingSize),
            "face_colours": get_args(FaceColours),
            "repair": get_args(Switch),
            "fill": option_values("fill"),
            "tone": get_args(Switch),
            "faces": get_args(FaceChoice),
            "detector": option_values("detector"),
            "masker": option_values("masker"),
            "format": get_args(OutputFormat),
            "metadata": get_args(Metadata),
        }

    def __post_init__(self) -> None:
        def require(ok: bool, sentence: Sentence) -> None:
            if not ok:
                raise OptionsError(sentence)

        least, most = UPSCALES
        require(
            least <= self.upscale <= most,
            say(
                "upscale must be between {least} and {most}, not {value}.",
                least=least,
                most=most,
                value=self.upscale,
            ),
        )
        require(
            0 <= self.longer_side <= LONGEST_SIDE,
            say(
                "longer_side must be between 0 and {most} pixels, not {value}.",
                most=LONGEST_SIDE,
                value=self.longer_side,
            ),
        )
        for name, allowed in self.choices().items():
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
        for name in _SHARES:
            value = getattr(self, name)
            require(
                0 <= value <= 1,
                say("{name} must be between 0 and 1, not {value}.", name=name, value=value),
            )
        require(
            not self.colorize or bool(models("colorize")),
            say("To colorize photos, a DDColor model must be in the models folder."),
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
        check_pattern(self.name)
