"""What the pipeline expects of the models; `enhance.pipeline.build` makes what fulfils it."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from enhance.records import Face, FloatArray, Mask, Photo, Pixels, StopCheck, Upscaled

Detector: TypeAlias = Callable[[Pixels, float], list[Face]]
"""RGB photo and the lowest score, 0..1 → faces with landmarks, largest first."""

Restorer: TypeAlias = Callable[[FloatArray, StopCheck], FloatArray]
"""Crops (n, 512, 512, 3) float32 RGB in 0..1 → restored crops of the same shape."""

Masker: TypeAlias = Callable[[FloatArray], FloatArray]
"""Restored crops → masks (n, 512, 512) float32 in 0..1."""


class Upscaler(Protocol):
    """A photo → its pixels resized to `size` (width, height); same dtype and color space.

    Width and height are scaled alike, except for rounding. tile: side of the parts, in pixels of
    the photo, that a network works on.
    """

    def __call__(
        self, photo: Photo, size: tuple[int, int], tile: int, stop_check: StopCheck
    ) -> Upscaled: ...


Filler: TypeAlias = Callable[[Photo, Mask, StopCheck], Photo]
"""A photo and marks (h, w) → the photo with what is marked filled in, and all else unchanged."""
