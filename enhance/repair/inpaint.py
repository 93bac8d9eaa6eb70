"""Fills in wide damage, such as torn corners, with a network that continues the picture."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.networks.resident import ResidentNet
from enhance.photos.colour import SRGB, ColourSpace
from enhance.photos.pixels import from_unit, unit
from enhance.records import Mask, Pixels, StopCheck
from enhance.repair.fill import fill
from enhance.upscaling.tiles import tiles

_THIN = 11  # pixels: what is no wider, OpenCV fills as well, and at once
_TILE, _SMALLEST_TILE = 512, 64
_CONTEXT = 128  # pixels around a tile that the network sees
_MULTIPLE = 8


class Inpainter:
    """Fills wide damage with a network, and thin damage as `fill` does."""

    def __init__(self, net: ResidentNet) -> None:
        """net: RGB and mask (n, 4, h, w) → RGB (n, 3, h, w), all in 0..1."""
        self._net = net

    def __call__(
        self, rgb: Pixels, mask: Mask, stop_check: StopCheck, space: ColourSpace = SRGB
    ) -> Pixels:
        """See `protocols.Filler`."""
        wide = wide_parts(mask)
        if mask.all() or not wide.any():
            return fill(rgb, mask)
        height, width = mask.shape
        filled, left = rgb.copy(), mask.copy()  # each tile sees what those before it have filled

        def run(size: int) -> None:
            for part in tiles(height, width, size, _CONTEXT, multiple=_MULTIPLE):
                inner = part.core_in_window(1)
                hole = (wide & left)[part.core]
                if hole.any():
                    seen = space.to_srgb(unit(filled[part.window]))
                    holes = left[part.window].astype(np.float32)
                    made = self._net(np.dstack([seen, holes])[None])[0][inner]
                    if (rgb[part.window] == rgb[part.window][..., :1]).all():  # no colours here
                        made = np.repeat(made.mean(2, keepdims=True), 3, 2)
                    own = from_unit(space.from_srgb(made), rgb.dtype)
                    filled[part.core][hole] = own[hole]
                    left[part.core] &= ~hole

        with self._net.interruptible(stop_check):
            self._net.shrinking(_TILE, _SMALLEST_TILE, run)
        return fill(filled, left)


def wide_parts(mask: Mask) -> Mask:
    """The marks that are wider than scratches, without the scratches that lead to them."""
    cores = cv2.erode(mask.view(np.uint8), _disc(_THIN))
    around = cv2.dilate(cores, _disc(2 * _THIN + 1))
    return around.view(np.bool_) & mask  # type: ignore[return-value]


def _disc(width: int) -> Pixels:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))  # type: ignore[return-value]
