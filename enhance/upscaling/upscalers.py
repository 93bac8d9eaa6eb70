"""Enlarge a whole photo: pixels → pixels of the same dtype, `upscale` times as large."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from enhance.networks.resident import ResidentNet
from enhance.options import WorkingSize
from enhance.photos.colour import SRGB, ColourSpace
from enhance.photos.pixels import from_unit, padded, unit
from enhance.records import Checkpoint, FloatArray, Pixels, Upscaled
from enhance.upscaling.interpolation import lanczos
from enhance.upscaling.low_frequencies import keep_low_frequencies
from enhance.upscaling.tiles import Area, Tile, tiles, whole
from enhance.upscaling.working_size import working_scale

_SMALLEST_TILE = 32
_LANCZOS_REACH = 4  # pixels on each side that interpolation looks at
_REGION_TILES = 2  # tiles along the side of a region that has one working size
_FADE = 16  # photo pixels on each side of the border between regions of different working sizes


class Lanczos:
    """Lanczos interpolation over 8×8 pixels: instant, invents nothing."""

    name = "lanczos"
    precision: str | None = None

    def __call__(
        self,
        rgb: Pixels,
        upscale: int,
        tile: int,
        checkpoint: Checkpoint,
        space: ColourSpace = SRGB,
        working_size: WorkingSize = "full",
    ) -> Upscaled:
        """rgb: (h, w, 3). Works on any channel count; only `upscale` matters here."""
        checkpoint()
        return Upscaled(lanczos(rgb, upscale))


class TiledNet:
    """A super-resolution network run over overlapping tiles.

    The photo and the result stay in main memory; only tiles go to the device. The tile is halved
    when the device runs out of memory.

    net: (n, 3, h, w) in 0..1 → (n, 3, s·h, s·w), s = `scale`. overlap: context on each side of a
    tile, in the pixels that the network sees; it must cover what the network looks at for seams to
    be invisible. multiple: the network takes only heights and widths that are multiples of it, or
    divides the picture into such blocks. largest_tile: larger ones are slower. adapts: the network
    may work on soft parts of the photo at a smaller size. keeps_colours: the network should not
    change colour and brightness of larger areas, so the photo's are kept.
    """

    def __init__(
        self,
        name: str,
        net: ResidentNet,
        *,
        scale: int,
        overlap: int,
        multiple: int = 1,
        largest_tile: int | None = None,
        adapts: bool = False,
        keeps_colours: bool = True,
    ) -> None:
        self.name = name
        self.precision: str | None = net.device.precision
        self._net = net
        self._scale = scale
        self._overlap = overlap
        self._multiple = multiple
        self._largest_tile = largest_tile
        self._adapts = adapts
        self._keeps_colours = keeps_colours

    def __call__(
        self,
        rgb: Pixels,
        upscale: int,
        tile: int,
        checkpoint: Checkpoint,
        space: ColourSpace = SRGB,
        working_size: WorkingSize = "full",
    ) -> Upscaled:
        """rgb: (h, w, 3), in `space`. `checkpoint` is called often and may raise to stop.

        Raises OutOfMemory when even the smallest tile does not fit, ModelFailed when the network
        gives no valid numbers.
        """
        height, width = rgb.shape[:2]
        tile = min(tile, self._largest_tile or tile)
        regions = [_Region(whole(height, width), 1)]
        if working_size == "auto" and self._adapts:
            regions = _regions(rgb, _REGION_TILES * tile - 2 * _FADE, space)
        canvas = np.empty((height * upscale, width * upscale, 3), rgb.dtype)

        def run(size: int) -> None:
            for region in regions:
                k = region.shrink
                interpolates = upscale * k > self._scale
                overlap = (self._overlap + (_LANCZOS_REACH if interpolates else 0)) * k
                multiple = self._multiple * k
                for part in tiles(
                    height, width, size * k, overlap, area=region.area, multiple=multiple
                ):
                    big = self._enlarge(rgb, part, upscale, space, k)
                    region.blend(canvas, big, part, upscale)

        with self._net.interruptible(checkpoint):
            self._net.shrinking(tile, _SMALLEST_TILE, run)
        if self._keeps_colours:
            keep_low_frequencies(canvas, rgb)
        return Upscaled(canvas, _mean_working_size(regions))

    def _enlarge(
        self, rgb: Pixels, part: Tile, upscale: int, space: ColourSpace, shrink: int
    ) -> Pixels:
        """The core of one tile at the final scale, in the photo's dtype.

        shrink: the network sees the tile so many times smaller.
        """
        window = unit(rgb[part.window])
        beyond = space.beyond(window)
        window = padded(space.to_srgb(window), self._multiple * shrink)
        if shrink == 1:
            big = self._net(window[None])[0]
            if upscale > self._scale:  # interpolation looks beyond the core
                big = _resized(big, self._scale, upscale)[part.core_in_window(upscale)]
            else:
                # Cores begin at whole photo pixels: averaging areas tile by tile leaves no seam.
                big = _resized(big[part.core_in_window(self._scale)], self._scale, upscale)
        else:
            small = _resized(window, shrink, 1)
            big = _resized(self._net(small[None])[0], self._scale, upscale * shrink)
            big = big[part.core_in_window(upscale)]
        big = space.from_srgb(big)
        if beyond is not None:
            big = big + lanczos(beyond, upscale)[part.core_in_window(upscale)]
        return from_unit(big, rgb.dtype)


@dataclass(frozen=True)
class _Region:
    """A part of the photo that the model sees `shrink` times smaller; neighbours overlap."""

    area: Area
    shrink: int

    def blend(self, canvas: Pixels, big: Pixels, part: Tile, upscale: int) -> None:
        """Put a tile of this region on the canvas, faded in over the regions above and before."""
        target = canvas[part.core_in_output(upscale)]
        rows, columns = (
            _fade_in(core, region.start, upscale)
            for core, region in zip(part.core, self.area, strict=True)
        )
        if rows[0] == columns[0] == 1:  # they rise, so all of it lies inside
            target[:] = big
        else:
            weight = rows[:, None, None] * columns[:, None]
            target[:] = np.rint(target + (big - target.astype(np.float32)) * weight)


def _regions(rgb: Pixels, size: int, space: ColourSpace) -> list[_Region]:
    """The photo in regions of about `size` pixels, each as small as its detail allows."""
    height, width = rgb.shape[:2]
    cores = [part.core for part in tiles(height, width, size, 0)]
    shrinks = [working_scale(space.to_srgb(unit(rgb[core]))) for core in cores]
    if len(set(shrinks)) == 1:
        return [_Region(whole(height, width), shrinks[0])]

    def widened(side: slice, length: int) -> slice:
        return slice(max(0, side.start - _FADE), min(length, side.stop + _FADE))

    return [
        _Region((widened(rows, height), widened(columns, width)), shrink)
        for (rows, columns), shrink in zip(cores, shrinks, strict=True)
    ]


def _fade_in(core: slice, start: int, upscale: int) -> FloatArray:
    """0..1 for each output pixel of `core`: how far it lies inside a region from `start` on."""
    if start == 0:
        return np.ones((core.stop - core.start) * upscale, np.float32)
    inside = np.arange((core.start - start) * upscale, (core.stop - start) * upscale) + 0.5
    return np.minimum(inside / (2 * _FADE * upscale), 1).astype(np.float32)


def _mean_working_size(regions: list[_Region]) -> float:
    areas = [math.prod(side.stop - side.start for side in region.area) for region in regions]
    sizes = [1 / region.shrink for region in regions]
    return round(float(np.average(sizes, weights=areas)), 2)


def _resized(pixels: FloatArray, scale: int, wanted: int) -> FloatArray:
    """Pixels at `scale`, brought to the scale `wanted`."""
    if wanted == scale:
        return pixels
    size = tuple(side * wanted // scale for side in pixels.shape[1::-1])
    method = cv2.INTER_AREA if wanted < scale else cv2.INTER_LANCZOS4
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method)  # type: ignore[return-value]
