"""Pastes restored faces into the enlarged photo without seams, each in its own region only.

Before that, `match_colors` gives them the photo's colors.

Coordinates are those of `geometry`. facexlib pastes with a different offset, which moves every face
by up to half a pixel; here the exact one is used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from enhance.faces.geometry import (
    Matrix,
    Region,
    corners_of,
    homogeneous,
    moved,
    region_around,
    translation,
)
from enhance.photos.pixels import bands, from_unit, unit
from enhance.records import FloatArray, Pixels

_SIGMA = 16.0  # crop pixels; colors coarser than this are taken from the photo
_BAND = 2_000_000  # canvas pixels blended at once, so that a huge face needs no huge float copy


@dataclass(frozen=True)
class Patch:
    """A restored crop to be pasted. It has 16 bits, as many as any photo, so storing it is exact.

    matrix: (2, 3) photo pixels → crop pixels. pixels: (512, 512, 3) uint16 RGB, full range.
    mask: (512, 512) uint16, full range; how much of the crop shows.
    """

    matrix: Matrix
    pixels: Pixels
    mask: Pixels

    @classmethod
    def of(cls, matrix: Matrix, pixels: FloatArray, mask: FloatArray) -> Patch:
        """The patch of a float32 crop and mask, both in 0..1 (other values are clipped)."""
        return cls(matrix, from_unit(pixels, np.uint16), from_unit(mask, np.uint16))


def match_colors(restored: FloatArray, original: FloatArray) -> FloatArray:
    """`restored` with the low frequencies of `original`; both (512, 512, 3) in 0..1."""
    difference = original - restored
    # Blurring at a quarter of the size looks the same and costs a sixteenth.
    small = cv2.resize(difference, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)  # type: ignore[call-overload]
    low = cv2.GaussianBlur(small, (0, 0), _SIGMA / 4)
    shifted = restored + cv2.resize(low, restored.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.clip(shifted, 0, 1)


def paste(
    canvas: Pixels, patches: Sequence[Patch], photo: tuple[int, int], weight: float = 1.0
) -> None:
    """Blend the patches into `canvas`, in place.

    photo: (width, height) of the photo, whose canvas may have any size. weight: opacity of the
    patches, 0..1.

    Changes only each face's region. Where faces overlap, each is weighted by the square of its mask
    and blended with the original canvas, so their order does not matter.
    """
    placed = [p for p in (_on_canvas(patch, canvas.shape, photo) for patch in patches) if p]
    rivals = [
        [other for other in placed if other is not face and _intersect(face.region, other.region)]
        for face in placed
    ]
    before = [
        canvas[face.region].copy() if others else canvas[face.region]
        for face, others in zip(placed, rivals, strict=True)
    ]
    top = np.iinfo(canvas.dtype).max
    for face, others, original in zip(placed, rivals, before, strict=True):
        target = canvas[face.region]
        for band in bands(target.shape[0], target.shape[1], _BAND):
            rows = slice(face.region[0].start + band.start, face.region[0].start + band.stop)
            region = (rows, face.region[1])
            alpha = face.mask(region)
            if not alpha.any():
                continue
            if others:
                squares = sum((o.mask(region) ** 2 for o in others), alpha**2)
                alpha = alpha**3 / np.maximum(squares, 1e-6)
            start = original[band].astype(np.float32)
            change = face.pixels(region) * top - start
            change *= alpha[..., None] * np.float32(weight)
            if others:  # another face may already have been pasted here: add, do not overwrite
                start = target[band].astype(np.float32)
            start += change
            np.rint(start, out=start)
            np.clip(start, 0, top, out=start)
            target[band] = start.astype(canvas.dtype)


@dataclass(frozen=True)
class _OnCanvas:
    """A patch and the region of the canvas that it covers.

    matrix: canvas pixels → crop pixels. canvas: its shape. scales: (vertical, horizontal), how many
    canvas pixels long a photo pixel is.
    """

    region: Region
    matrix: Matrix
    crop: FloatArray
    crop_mask: FloatArray
    canvas: tuple[int, ...]
    scales: tuple[float, float]

    def pixels(self, region: Region) -> FloatArray:
        return self._warp(self.crop, region, cv2.BORDER_REPLICATE)

    def mask(self, region: Region) -> FloatArray:
        mask = self._warp(self.crop_mask, region, cv2.BORDER_CONSTANT)
        rows, columns = (
            self._away_from_border(part, length, scale)
            for part, length, scale in zip(region, self.canvas, self.scales, strict=False)
        )
        return mask * rows[:, None] * columns

    def _away_from_border(self, part: slice, length: int, scale: float) -> FloatArray:
        """0 within one crop pixel of the photo's border, where the gray beyond it shows through,
        rising to 1 over one photo pixel."""
        at = np.arange(part.start, part.stop, dtype=np.float32) + 0.5
        reach = math.sqrt(2 / abs(np.linalg.det(self.matrix[:2, :2]))) + 0.5 * scale
        return np.clip((np.minimum(at, length - at) - reach) / scale, 0, 1)

    def _warp(self, image: FloatArray, region: Region, border: int) -> FloatArray:
        rows, columns = region
        local = self.matrix @ translation(columns.start, rows.start)
        return cv2.warpAffine(  # type: ignore[return-value]
            image,
            local[:2],
            (columns.stop - columns.start, rows.stop - rows.start),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=border,
        )


def _on_canvas(patch: Patch, shape: tuple[int, ...], photo: tuple[int, int]) -> _OnCanvas | None:
    """The position of a patch on a canvas of `shape`, or None if it is outside."""
    down, across = shape[0] / photo[1], shape[1] / photo[0]
    to_photo = np.array(
        [[1 / across, 0, 0.5 / across - 0.5], [0, 1 / down, 0.5 / down - 0.5], [0, 0, 1]]
    )
    matrix = homogeneous(patch.matrix) @ to_photo
    crop, mask = unit(patch.pixels), unit(patch.mask)
    # If a face is much smaller on the canvas than its crop, halve the crop first, because linear
    # sampling would alias.
    for _ in range(max(0, math.floor(math.log2(math.sqrt(abs(np.linalg.det(matrix[:2, :2]))))))):
        crop = cv2.resize(crop, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore
        mask = cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # type: ignore
        matrix = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]]) @ matrix
        if min(mask.shape) <= 2:
            break
    corners = moved(np.linalg.inv(matrix), corners_of(*mask.shape))
    region = region_around(corners, shape, margin=1)
    if region[0].start >= region[0].stop or region[1].start >= region[1].stop:
        return None
    return _OnCanvas(region, matrix, crop, mask, shape, (down, across))


def _intersect(a: Region, b: Region) -> bool:
    return all(p.start < q.stop and q.start < p.stop for p, q in zip(a, b, strict=True))
