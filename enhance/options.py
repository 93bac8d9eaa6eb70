"""What can be chosen: which models to load (`Setup`) and how to enhance a photo (`Options`).

Each option is declared once, as a field of `Options`. The command's arguments, the page's widgets
and address, the API's parameters, the fields of plain HTTP and the tables of the docs all follow
from `OPTIONS`.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from enhance.errors import OptionsError
from enhance.i18n import text
from enhance.models.catalogue import models
from enhance.names import USUAL_NAME, check_pattern
from enhance.option_spec import Group, OptionSpec
from enhance.sizes import USUAL_SIZES, check_size, from_longer_side, from_upscale, scale

FaceChoice = Literal["all", "largest", "center"]
OutputFormat = Literal["same", "jpeg", "png", "webp"]
Metadata = Literal["keep", "no-location", "strip"]
FaceColors = Literal["photo", "model"]
Switch = Literal["auto", "on", "off"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]

FACES, BACKGROUND = Group(text("Faces")), Group(text("Background"))
OLD_PHOTOS, FILE = Group(text("Old photos")), Group(text("Size and file"))
GROUPS = (FACES, BACKGROUND, OLD_PHOTOS, FILE)
"""The groups of options, in the order of the page."""
_SHARE = {"most": 1, "step": 0.05}
_AUTO = {"auto": text("Automatic")}
_SWITCH = {"auto": text("If the photo needs it"), "on": text("Always"), "off": text("Never")}


@dataclass(frozen=True)
class Setup:
    """What to load. Changing it reloads the models."""

    device: DeviceName = "auto"
    precision: Precision = "auto"
    weights: Path | None = None  # a weight file, or a folder that is searched first


@dataclass(frozen=True)
class Options:
    """How to enhance a photo. Changing it reloads nothing.

    `OPTIONS` says what each means. Raises OptionsError if one is out of its range.
    """

    size: str = FILE.option(
        "auto",
        text("Size"),
        text(
            "By default, a photo is doubled unless it is already large. A factor (2x), or pixels: "
            "3840, 4K or 8K for the longer side, short:1080 for the shorter side, min:2000 for a "
            "longer side of at least that."
        ),
        words={"auto": text("As the photo needs")} | USUAL_SIZES,
        check=check_size,
        was={"upscale": from_upscale, "longer_side": from_longer_side},
    )
    restorer: str = FACES.option(
        "auto",
        text("Faces"),
        text("The model that restores faces."),
        kind="restorer",
        words={"auto": text("Best available"), "none": text("Do not restore faces")},
    )
    weight: float = FACES.option(
        1.0,
        text("Strength"),
        text("0 keeps the original faces, 1 uses the restored ones."),
        **_SHARE,
    )
    background: str = BACKGROUND.option(
        "auto",
        text("Background"),
        text("How everything around the faces is cleaned and enlarged."),
        kind="background",
        words={"auto": text("As the photo needs")},
    )
    background_weight: float = BACKGROUND.option(
        1.0,
        text("Background strength"),
        text("0 keeps the background's grain, 1 removes it."),
        **_SHARE,
    )
    face_colors: FaceColors = FACES.option(
        "photo",
        text("Face colors"),
        words={"photo": text("As in the photo"), "model": text("As the model renders them")},
        was={"face_colours": str},
    )
    repair: Switch = OLD_PHOTOS.option(
        "auto",
        text("Repair damage"),
        text("Finds scratches, creases, dust and specks, and fills them in."),
        words=_SWITCH,
    )
    repair_sensitivity: float = OLD_PHOTOS.option(
        0.5,
        text("Sensitivity of the repair"),
        text("0 repairs only what is certainly damage, 1 also what is likely to be."),
        **_SHARE,
    )
    fill: str = OLD_PHOTOS.option(
        "auto",
        text("Filling"),
        text("What fills in the damage."),
        kind="fill",
        words=_AUTO,
    )
    tone: Switch = OLD_PHOTOS.option(
        "auto",
        text("Restore faded colors"),
        text("Undoes the fading and the color cast of old prints."),
        words=_SWITCH,
    )
    tone_strength: float = OLD_PHOTOS.option(
        1.0,
        text("Strength of color restoration"),
        text("0 leaves the colors as they are, 1 undoes their fading completely."),
        **_SHARE,
    )
    colorize: float = OLD_PHOTOS.option(
        0.0,
        text("Colorize gray photos"),
        text("How strong the colors of a DDColor model are; 0 leaves gray photos gray."),
        **_SHARE,
    )
    faces: FaceChoice = FACES.option(
        "all",
        text("Faces to restore"),
        words={
            "all": text("All"),
            "largest": text("Largest"),
            "center": text("Closest to the center"),
        },
    )
    only_restore_blurred: bool = FACES.option(
        True,
        text("Leave sharp faces alone"),
        text("Sharp faces stay as they are; the less sharp a face is, the more of it is restored."),
    )
    detector: str = FACES.option(
        "retinaface-mobilenet",
        text("Face detector"),
        text("GFPGAN itself uses ResNet-50."),
        kind="detector",
    )
    masker: str = FACES.option(
        "feather",
        text("Face blending"),
        text("GFPGAN itself uses ParseNet, which leaves hair untouched."),
        kind="masker",
    )
    face_threshold: float = FACES.option(
        0.8,
        text("Detection threshold"),
        text("Lower values find more faces, but also more false ones."),
        least=0.01,
        most=0.99,
        step=0.01,
    )
    min_face: int = FACES.option(
        16,
        text("Smallest face"),
        text("In pixels of the original photo."),
        least=1,
        most=512,
    )
    tile: int = BACKGROUND.option(
        512,
        text("Tile size"),
        text("Smaller tiles need less memory but take longer."),
        least=32,
        most=4096,
        step=32,
        unit=text("pixels"),
    )
    format: OutputFormat = FILE.option(
        "same",
        text("Output format"),
        words={"same": text("Same as the original"), "jpeg": "JPEG", "png": "PNG", "webp": "WebP"},
    )
    quality: int = FILE.option(
        95, text("Quality"), text("For JPEG, WebP, HEIC and AVIF."), least=1, most=100
    )
    metadata: Metadata = FILE.option(
        "keep",
        text("Metadata (date, camera, location)"),
        text("What the photo's file contains besides the image."),
        words={
            "keep": text("Keep all"),
            "no-location": text("Remove the location"),
            "strip": text("Remove all"),
        },
    )
    name: str = FILE.option(
        USUAL_NAME,
        text("File name"),
        text(
            "A pattern without extension: {stem} is the photo's name, {index} its number; also "
            "{upscale}, {restorer} and {background}."
        ),
        check=check_pattern,
    )

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) of the result for a photo of `size`."""
        times = scale(self.size, size)
        width, height = (max(1, round(side * times)) for side in size)
        return width, height

    def __post_init__(self) -> None:
        for name, spec in OPTIONS.items():
            object.__setattr__(self, name, spec.checked(getattr(self, name)))
        if self.colorize and not models("colorize"):
            raise OptionsError("To colorize photos, a DDColor model must be in the models folder.")


OPTIONS: dict[str, OptionSpec] = {
    each.name: replace(each.metadata["spec"], name=each.name) for each in fields(Options)
}
"""All options by name."""
OLD_NAMES = {old: name for name, spec in OPTIONS.items() for old in spec.was}
"""What version 0.2 called some options, and what they are called now."""


def renamed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of options, by the names that these have now.

    If both names are given, the old one counts: the other value may be a default.
    """
    now = {name: value for name, value in values.items() if name not in OLD_NAMES}
    for old, name in OLD_NAMES.items():
        said = OPTIONS[name].was[old](values[old]) if values.get(old) not in (None, "") else None
        if said is not None:
            now[name] = said
    return now


_construct = Options.__init__


@functools.wraps(_construct)
def _renaming(self: Options, *values: Any, **named: Any) -> None:
    """The constructor, which takes the options' old names, too."""
    _construct(self, *values, **renamed(named))


Options.__init__ = _renaming  # type: ignore[method-assign]
