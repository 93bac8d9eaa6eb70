"""Fills in damaged pixels from their surroundings."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.records import Mask, Pixels
from enhance.upscaling.tiles import tiles

_RADIUS = 3  # pixels around the damage from which it is filled in
_TILE = 256  # pixels; only tiles with damage are worked on
_CONTEXT = 48  # pixels around a tile, so that damage across its edge is filled in without a seam


def fill(rgb: Pixels, mask: Mask) -> Pixels:
    """A copy of the photo with the marked pixels filled in and all others unchanged.

    rgb: (h, w, 3) uint8 or uint16; mask: (h, w) bool. Meant for thin damage: what is wider than
    about ten pixels comes out smooth. If every pixel is marked, nothing is filled in.
    """
    filled = rgb.copy()
    if mask.all():
        return filled
    height, width = mask.shape
    for part in tiles(height, width, _TILE, _CONTEXT):
        if not mask[part.core].any():
            continue
        window = np.ascontiguousarray(rgb[part.window])
        inner = part.core_in_window(1)
        whole = _inpainted(window, mask[part.window].view(np.uint8))
        filled[part.core] = whole[inner]
    return filled


def _inpainted(rgb: Pixels, mask: Pixels) -> Pixels:
    """Telea's inpainting in OpenCV, which accepts three channels of 8 bits or one of 16."""
    if rgb.dtype == np.uint8:
        return cv2.inpaint(rgb, mask, _RADIUS, cv2.INPAINT_TELEA)  # type: ignore[return-value]
    channels = (np.ascontiguousarray(rgb[..., i]) for i in range(3))
    return np.dstack([cv2.inpaint(c, mask, _RADIUS, cv2.INPAINT_TELEA) for c in channels])
