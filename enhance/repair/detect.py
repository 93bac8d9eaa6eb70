"""Finds scratches, cracks, creases, dust and specks with a network over tiles of the photo."""

import cv2
import numpy as np

from enhance.networks.damage import DamageNet
from enhance.networks.resident import ResidentNet
from enhance.photos.color import ColorSpace, space_of
from enhance.photos.pixels import padded, unit
from enhance.records import Photo, Pixels, StopCheck
from enhance.repair.marks import CERTAIN, CERTAIN_TWICE
from enhance.upscaling.tiles import Tile, tiles

_TILE = 1040  # pixels; the copy of a photo that is looked at is one tile, with its mirrored edges
_SMALLEST_TILE = 64
_MIRRORED = 8  # pixels around the photo; scratches along its very edge would be missed
_SOFTER = 0.7  # sigma, in pixels, with which certain damage must still be certain


class DamageDetector:
    """Photo → how likely each of its pixels is damaged."""

    def __init__(self, net: ResidentNet) -> None:
        """net: a `DamageNet` on its device."""
        self._net = net

    def __call__(self, photo: Photo, stop_check: StopCheck) -> Pixels:
        """Returns (h, w) uint8: from `CERTAIN` on, damage is certain, and with `CERTAIN_TWICE` it
        still is when the photo is slightly softer.

        Cords, whiskers and lit rims, which the network takes for scratches, are often something
        else to it then; most scratches are not.

        `stop_check` is called often and may raise to stop. Raises OutOfMemory when even the
        smallest tile does not fit, ModelFailed when the network gives no valid numbers.
        """
        around = _MIRRORED, _MIRRORED
        rgb, space = np.pad(photo.rgb, [around, around, (0, 0)], "reflect"), space_of(photo)
        softer = cv2.GaussianBlur(rgb, (0, 0), _SOFTER)
        height, width = rgb.shape[:2]
        likelihood = np.empty((height, width), np.uint8)

        def run(size: int) -> None:
            multiple = DamageNet.MULTIPLE
            for part in tiles(height, width, size, DamageNet.REACH, multiple=multiple):
                found = self._likelihood(rgb, part, space)
                certain = found >= CERTAIN
                if certain.any():
                    still = self._likelihood(softer, part, space) >= CERTAIN
                    found[certain] = np.where(still[certain], CERTAIN_TWICE, CERTAIN)
                likelihood[part.core] = found

        self._net.shrinking(_TILE, _SMALLEST_TILE, run, stop_check)
        return likelihood[_MIRRORED:-_MIRRORED, _MIRRORED:-_MIRRORED]

    def _likelihood(self, rgb: Pixels, part: Tile, space: ColorSpace) -> Pixels:
        window = padded(space.to_srgb(unit(rgb[part.window])), DamageNet.MULTIPLE)
        logits = self._net(window[None])[0, ..., 0][part.core_in_window(1)]
        return np.rint(255 / (1 + np.exp(-logits.clip(-30, 30)))).astype(np.uint8)
