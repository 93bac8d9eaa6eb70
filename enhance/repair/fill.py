"""Fills in damaged pixels: thin damage from around it, wide damage with a network."""

from dataclasses import replace

import cv2
import numpy as np

from enhance.networks.resident import ResidentNet
from enhance.photos.color import space_of
from enhance.photos.pixels import from_unit, unit
from enhance.records import Mask, Photo, Pixels, StopCheck
from enhance.upscaling.tiles import tiles

_RADIUS = 3  # pixels around thin damage from which it is filled in
_TILE = 256  # pixels; only tiles with damage are worked on
_CONTEXT = 48  # pixels around a tile, so that damage across its edge is filled in without a seam
_THIN = 11  # pixels: what is no wider needs no network
_NET_TILE, _SMALLEST_TILE = 512, 64
_NET_CONTEXT = 128  # pixels around a tile that the network sees
_NET_MULTIPLE = 8


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


class Inpainter:
    """Fills wide damage with a network, and thin damage as `fill` does."""

    def __init__(self, net: ResidentNet) -> None:
        """net: RGB and mask (n, 4, h, w) → RGB (n, 3, h, w), all in 0..1."""
        self._net = net

    def __call__(self, photo: Photo, mask: Mask, stop_check: StopCheck) -> Photo:
        rgb, space, wide = photo.rgb, space_of(photo), wide_parts(mask)
        if mask.all() or not wide.any():
            return replace(photo, rgb=fill(rgb, mask))
        height, width = mask.shape
        filled, left = rgb.copy(), mask.copy()  # each tile sees what those before it have filled

        def run(size: int) -> None:
            for part in tiles(height, width, size, _NET_CONTEXT, multiple=_NET_MULTIPLE):
                inner = part.core_in_window(1)
                hole = (wide & left)[part.core]
                if hole.any():
                    seen = space.to_srgb(unit(filled[part.window]))
                    holes = left[part.window].astype(np.float32)
                    made = self._net(np.dstack([seen, holes])[None])[0][inner]
                    if (rgb[part.window] == rgb[part.window][..., :1]).all():  # no colors here
                        made = np.repeat(made.mean(2, keepdims=True), 3, 2)
                    own = from_unit(space.from_srgb(made), rgb.dtype)
                    filled[part.core][hole] = own[hole]
                    left[part.core] &= ~hole

        self._net.shrinking(_NET_TILE, _SMALLEST_TILE, run, stop_check)
        return replace(photo, rgb=fill(filled, left))


def wide_parts(mask: Mask) -> Mask:
    """The marks that are wider than scratches, without the scratches that lead to them."""
    cores = cv2.erode(mask.view(np.uint8), _disc(_THIN))
    around = cv2.dilate(cores, _disc(2 * _THIN + 1))
    return around.view(np.bool_) & mask  # type: ignore[return-value]


def _disc(width: int) -> Pixels:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))  # type: ignore[return-value]
