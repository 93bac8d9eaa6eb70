"""Resize a whole photo, by interpolation or with a network over tiles."""

import math
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import cv2
import numpy as np

from enhance.limits import Limits
from enhance.networks.resident import ResidentNet
from enhance.photos.color import ColorSpace, space_of
from enhance.photos.pixels import from_unit, padded, unit
from enhance.records import FloatArray, Photo, Pixels, StopCheck, Upscaled
from enhance.upscaling.fine_detail import keep_fine_detail
from enhance.upscaling.interpolation import resized
from enhance.upscaling.low_frequencies import keep_low_frequencies
from enhance.upscaling.tiles import Tile, tiles

_SMALLEST_TILE = 32
_TRIAL = 128  # side of the picture with which a network is warmed up and timed
_LANCZOS_REACH = 4  # pixels on each side that interpolation looks at
_USUAL_SCALE = 4  # times; beyond this, and beyond the network's own scale, photos are interpolated
# Pixels to which a network may enlarge before its result is resized; a larger canvas is not worth
# its memory.
_LARGEST_CANVAS = Limits.max_output_pixels


def interpolated(photo: Photo, size: tuple[int, int], tile: int, stop_check: StopCheck) -> Upscaled:
    """An `Upscaler` without a network: `resized`. Accepts any number of channels."""
    stop_check()
    return Upscaled(resized(photo.rgb, size))


@dataclass(frozen=True)
class TiledNet:
    """A super-resolution network run over overlapping tiles.

    The photo and the result stay in main memory; only tiles go to the device. The tile is halved
    when the device runs out of memory.

    net: (n, 3, h, w) in 0..1 → (n, 3, s·h, s·w), s = `scale`. overlap: context on each side of a
    tile, in the pixels that the network sees; it must cover what the network looks at for seams to
    be invisible. multiple: the network takes only heights and widths that are multiples of it, or
    divides the picture into such blocks. keeps_colors: the network is not meant to change the color
    and brightness of larger areas, so the photo's are kept. keeps_detail: what fine detail of the
    photo the network loses is put back. mirrored: for so many pixels beyond the photo's edges the
    network sees its mirror image, as it errs beside nothing.
    """

    net: ResidentNet
    _: KW_ONLY
    scale: int
    overlap: int
    multiple: int = 1
    keeps_colors: bool = True
    keeps_detail: bool = False
    mirrored: int = 0

    def __call__(
        self, photo: Photo, size: tuple[int, int], tile: int, stop_check: StopCheck
    ) -> Upscaled:
        """See `Upscaler`. `stop_check` is called often and may raise to stop.

        The network enlarges a whole number of times, at which tiles join without seams, and the
        whole result is then resized. For a result smaller than the photo, the photo is shrunk
        first, which saves the network work whose result nobody would see.

        Raises OutOfMemory when even the smallest tile does not fit, ModelFailed when the network
        gives no valid numbers.
        """
        rgb, space = photo.rgb, space_of(photo)
        if size[0] * size[1] < rgb.shape[0] * rgb.shape[1]:
            rgb = resized(rgb, size)
        height, width = rgb.shape[:2]
        upscale = min(_whole_scale((width, height), size), max(self.scale, _USUAL_SCALE))
        # A ×2 network makes ×4 of its own result.
        passes = 2 if 1 < self.scale**2 <= upscale else 1
        # How far a tile's result depends on what is around it, in the photo's pixels.
        reach = sum(-(-self.overlap // self.scale**done) for done in range(passes))
        if upscale > self.scale**passes:
            reach += _LANCZOS_REACH
        canvas = np.empty((height * upscale, width * upscale, 3), rgb.dtype)

        def run(side: int) -> None:
            for part in tiles(height, width, side, reach, multiple=self.multiple):
                core = self._enlarge(rgb, part, passes, upscale, space)
                canvas[part.core_in_output(upscale)] = core

        self.net.shrinking(tile, _SMALLEST_TILE, run, stop_check)
        if self.keeps_colors:
            keep_low_frequencies(canvas, rgb)
        if self.keeps_detail:
            keep_fine_detail(canvas, rgb)
        if canvas.shape[1::-1] != size:
            canvas = resized(canvas, size)
        return Upscaled(canvas, self.net.device.precision)

    def _enlarge(
        self, rgb: Pixels, part: Tile, passes: int, upscale: int, space: ColorSpace
    ) -> Pixels:
        """The core of one tile, after so many passes of the network, at the final scale and in the
        photo's dtype."""
        seen, beyond = space.split(unit(rgb[part.window]))
        at_edges = part.at_edges(*rgb.shape[:2])
        top, bottom, left, right = (self.mirrored * at_edge for at_edge in at_edges)
        seen = cv2.copyMakeBorder(seen, top, bottom, left, right, cv2.BORDER_REFLECT_101)
        big, scale = padded(np.asarray(seen), self.multiple), 1
        for _ in range(passes):
            big, scale = self.net(big[None])[0], scale * self.scale
        big = big[top * scale :, left * scale :]
        if upscale > scale:  # interpolation looks beyond the core
            big = _resized(big, scale, upscale)[part.core_in_window(upscale)]
        else:
            # Cores begin at whole photo pixels: averaging areas tile by tile leaves no seam.
            big = _resized(big[part.core_in_window(scale)], scale, upscale)
        if beyond is not None:
            beyond = _resized(beyond, 1, upscale)[part.core_in_window(upscale)]
        return from_unit(space.joined(big, beyond), rgb.dtype)


def _whole_scale(photo: tuple[int, int], size: tuple[int, int]) -> int:
    """How many times, a whole number, a photo that becomes `size` is enlarged before the rest is
    interpolated: no less than needed, unless that would take too much memory."""
    ratio = max(size) / max(photo)
    scale = math.ceil(ratio)
    return scale if photo[0] * photo[1] * scale**2 <= _LARGEST_CANVAS else math.floor(ratio)


def _resized(pixels: FloatArray, scale: int, wanted: int) -> FloatArray:
    """Pixels at `scale`, brought to the scale `wanted`."""
    if wanted == scale:
        return pixels
    height, width = (side * wanted // scale for side in pixels.shape[:2])
    return resized(np.ascontiguousarray(pixels), (width, height))


def seconds_per_pixel(upscaler: Callable[..., Upscaled]) -> float:
    """Seconds that a network takes per pixel of a photo, on this machine."""
    photo = Photo("trial", np.zeros((_TRIAL, _TRIAL, 3), np.uint8), "PNG")
    seconds = []
    for _ in range(2):  # the first pass also prepares kernels and memory
        start = time.perf_counter()
        upscaler(photo, (2 * _TRIAL, 2 * _TRIAL), _TRIAL, lambda: None)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / _TRIAL**2
