"""What the pipeline expects of the models; `enhance.pipeline.build` makes what fulfils it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from enhance.options import Options
from enhance.photos.colour import SRGB, ColourSpace
from enhance.records import Face, FloatArray, Mask, Pixels, StopCheck, Upscaled

if TYPE_CHECKING:
    from enhance.repair.colorize import Colorizer
    from enhance.repair.detect import DamageDetector


class Detector(Protocol):
    """RGB photo → faces with landmarks, largest first. threshold: lowest score, 0..1."""

    def __call__(self, rgb: Pixels, threshold: float) -> list[Face]: ...


class Restorer(Protocol):
    """Crops (n, 512, 512, 3) float32 RGB in 0..1 → restored crops of the same shape."""

    def __call__(self, crops: FloatArray, stop_check: StopCheck) -> FloatArray: ...


class Masker(Protocol):
    """Restored crops → masks (n, 512, 512) float32 in 0..1."""

    def __call__(self, restored: FloatArray) -> FloatArray: ...


class Upscaler(Protocol):
    """RGB photo → the photo resized to `size` (width, height); same dtype and colour space.

    Width and height are scaled alike, except for rounding. Of the options only `tile` and
    `working_size` matter.
    """

    def __call__(
        self,
        rgb: Pixels,
        size: tuple[int, int],
        options: Options,
        stop_check: StopCheck,
        space: ColourSpace = SRGB,
    ) -> Upscaled: ...


class Filler(Protocol):
    """RGB photo and marks (h, w) → a copy with what is marked filled in, and all else unchanged."""

    def __call__(
        self, rgb: Pixels, mask: Mask, stop_check: StopCheck, space: ColourSpace = SRGB
    ) -> Pixels: ...


class Models(Protocol):
    """The resident models, each loaded when it is first needed and kept from then on."""

    device: str
    precision: str

    def resolve(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """The options without "auto", and sentences about the choices made."""
        ...

    def detector(self, name: str) -> Detector: ...
    def masker(self, name: str) -> Masker: ...
    def restorer(self, name: str) -> Restorer: ...
    def upscaler(self, name: str) -> Upscaler: ...
    def filler(self, name: str) -> Filler: ...
    @property
    def damage_detector(self) -> DamageDetector: ...
    @property
    def colorizer(self) -> Colorizer: ...
