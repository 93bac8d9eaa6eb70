"""Resizes pixels without a model."""

import cv2
import numpy as np

from enhance.records import Pixels


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """A copy of `pixels` (h, w) or (h, w, c) at `size` (width, height).

    They are enlarged by Lanczos interpolation and shrunk by averaging.
    """
    height, width = pixels.shape[:2]
    if size == (width, height):
        return pixels.copy()
    shrinks = size[0] * size[1] < width * height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
    return cv2.resize(pixels, size, interpolation=method)  # type: ignore[return-value]


def shrunk(pixels: Pixels, longest: int) -> Pixels:
    """`pixels`, whose longer side is then at most `longest`."""
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    width, height = (max(1, round(side * scale)) for side in pixels.shape[1::-1])
    return resized(pixels, (width, height))


def transparency(alpha: Pixels, size: tuple[int, int]) -> Pixels:
    """`alpha` (h, w) at `size`, without ringing beside edges, which would show as a halo."""
    if size == alpha.shape[1::-1]:
        return alpha
    around = np.ones((3, 3), np.uint8)
    lowest, highest = (
        cv2.resize(extreme(alpha, around), size, interpolation=cv2.INTER_NEAREST)
        for extreme in (cv2.erode, cv2.dilate)
    )
    return np.clip(resized(alpha, size), lowest, highest)


def clean_edges(rgb: Pixels, alpha: Pixels | None, size: tuple[int, int]) -> Pixels:
    """`rgb` (h, w, 3) with its invisible pixels colored like the nearest visible ones.

    Otherwise hidden colors would bleed into the edges when the picture is resized to `size`. If
    it keeps its size that cannot happen, and nothing is changed.
    """
    if alpha is None or size == rgb.shape[1::-1] or alpha.all() or not alpha.any():
        return rgb
    _, nearest = cv2.distanceTransformWithLabels(
        (alpha == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    sources = np.empty(nearest.max() + 1, np.int32)
    sources[nearest[alpha > 0]] = np.flatnonzero(alpha)
    return rgb.reshape(-1, 3)[sources[nearest]]
