"""Enlarge a whole photo: pixels → pixels of the same dtype, `upscale` times as large."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.colour import SRGB, ColourSpace
from enhance.records import Checkpoint, Pixels
from enhance.scaling import lanczos
from enhance.tensors import ResidentNet, unit
from enhance.tiles import Tile, tiles

_SMALLEST_TILE = 32


class Lanczos:
    """Lanczos interpolation over 8×8 pixels: instant, invents nothing."""

    name = "lanczos"

    def __call__(
        self,
        rgb: Pixels,
        upscale: int,
        tile: int,
        checkpoint: Checkpoint,
        space: ColourSpace = SRGB,
    ) -> Pixels:
        """rgb: (h, w, 3). Works on any channel count; `tile` and `space` are of no use here."""
        checkpoint()
        return lanczos(rgb, upscale)


class TiledNet:
    """A super-resolution network run over overlapping tiles.

    The photo and the result stay in main memory; only tiles go to the device. The tile is halved
    when the device runs out of memory.

    net: (n, 3, h, w) in 0..1 → (n, 3, s·h, s·w), s = `scale`. overlap: context on each side of a
    tile, in photo pixels; it must cover what the network looks at for seams to be invisible.
    multiple: the network takes only heights and widths that are multiples of it.
    """

    def __init__(
        self, name: str, net: ResidentNet, *, scale: int, overlap: int, multiple: int = 1
    ) -> None:
        self.name = name
        self._net = net
        self._scale = scale
        self._overlap = overlap
        self._multiple = multiple

    def __call__(
        self,
        rgb: Pixels,
        upscale: int,
        tile: int,
        checkpoint: Checkpoint,
        space: ColourSpace = SRGB,
    ) -> Pixels:
        """rgb: (h, w, 3), in `space`. `checkpoint` is called often and may raise to stop.

        Raises OutOfMemory when even the smallest tile does not fit.
        """
        height, width = rgb.shape[:2]
        canvas = np.empty((height * upscale, width * upscale, 3), rgb.dtype)

        def run(size: int) -> None:
            for part in tiles(height, width, size, self._overlap):
                canvas[part.core_in_output(upscale)] = self._enlarge(rgb, part, upscale, space)

        with self._net.interruptible(checkpoint):
            self._net.shrinking(tile, _SMALLEST_TILE, run)
        return canvas

    def _enlarge(self, rgb: Pixels, part: Tile, upscale: int, space: ColourSpace) -> Pixels:
        """The core of one tile at the final scale, in the photo's dtype."""
        window = unit(rgb[part.window])
        beyond = space.beyond(window)
        missing = [(0, -side % self._multiple) for side in window.shape[:2]]
        window = np.pad(space.to_srgb(window), [*missing, (0, 0)], mode="edge")
        big = self._net(window[None])[0][part.core_in_window(self._scale)]
        if upscale != self._scale:
            # Cores begin at whole photo pixels, so averaging areas tile by tile leaves no seam.
            rows, columns = part.core
            size = (
                (columns.stop - columns.start) * upscale,
                (rows.stop - rows.start) * upscale,
            )
            method = cv2.INTER_AREA if upscale < self._scale else cv2.INTER_LANCZOS4
            big = cv2.resize(np.ascontiguousarray(big), size, interpolation=method)
        big = space.from_srgb(big)
        if beyond is not None:
            big = big + lanczos(beyond, upscale)[part.core_in_window(upscale)]
        top = np.iinfo(rgb.dtype).max
        return np.rint(np.clip(big, 0, 1) * top).astype(rgb.dtype)
