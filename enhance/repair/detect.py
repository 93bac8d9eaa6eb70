"""Find scratches, cracks, creases, dust and specks: a network over tiles of the photo."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.colour import SRGB, ColourSpace
from enhance.nets.damage import DamageNet
from enhance.records import Checkpoint, Mask, Pixels
from enhance.tensors import ResidentNet, unit
from enhance.tiles import tiles

_TILE = 768  # pixels; larger ones save little of the overlap
_SMALLEST_TILE = 64
_SURE = 0.9, 0.15  # likelihood from which a pixel is marked, at the sensitivities 0 and 1
_RIM = np.ones((3, 3), np.uint8)  # marks reach a pixel further than what is seen of the damage


class DamageDetector:
    """Photo → how likely each of its pixels is damaged."""

    def __init__(self, net: ResidentNet) -> None:
        """net: a `DamageNet` on its device."""
        self._net = net

    def __call__(self, rgb: Pixels, checkpoint: Checkpoint, space: ColourSpace = SRGB) -> Pixels:
        """rgb: (h, w, 3), in `space`. Returns (h, w) uint8: 0 is surely sound, 255 surely damaged.

        `checkpoint` is called often and may raise to stop. Raises OutOfMemory when even the
        smallest tile does not fit, ModelFailed when the network gives no valid numbers.
        """
        height, width = rgb.shape[:2]
        likelihood = np.empty((height, width), np.uint8)

        def run(size: int) -> None:
            multiple = DamageNet.MULTIPLE
            for part in tiles(height, width, size, DamageNet.REACH, multiple=multiple):
                window = space.to_srgb(unit(rgb[part.window]))
                missing = [(0, -side % multiple) for side in window.shape[:2]]
                window = np.pad(window, [*missing, (0, 0)], mode="edge")
                logits = self._net(window[None])[0, ..., 0][part.core_in_window(1)]
                likelihood[part.core] = np.rint(255 / (1 + np.exp(-logits.clip(-30, 30))))

        with self._net.interruptible(checkpoint):
            self._net.shrinking(_TILE, _SMALLEST_TILE, run)
        return likelihood


def damage_mask(likelihood: Pixels, sensitivity: float) -> Mask:
    """Which pixels to fill in, (h, w) bool.

    likelihood: of `DamageDetector`. sensitivity: 0 marks only what is certain, 1 what is likely.
    """
    strict, lenient = _SURE
    least = round(255 * (strict + (lenient - strict) * sensitivity))
    marked = (likelihood >= least).view(np.uint8)
    return cv2.dilate(marked, _RIM).view(np.bool_)  # type: ignore[return-value]
