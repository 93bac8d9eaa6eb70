"""Enlarges and shrinks pixels without a model."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.records import Pixels


def lanczos(pixels: Pixels, upscale: int) -> Pixels:
    """`pixels` (h, w) or (h, w, c) enlarged; a copy at upscale 1."""
    if upscale == 1:
        return pixels.copy()
    return cv2.resize(  # type: ignore[return-value]
        pixels, None, fx=upscale, fy=upscale, interpolation=cv2.INTER_LANCZOS4
    )


def transparency(alpha: Pixels, upscale: int) -> Pixels:
    """`alpha` (h, w) enlarged without ringing beside edges, which would show as a halo."""
    if upscale == 1:
        return alpha
    around = np.ones((3, 3), np.uint8)
    lowest, highest = (
        cv2.resize(
            extreme(alpha, around), None, fx=upscale, fy=upscale, interpolation=cv2.INTER_NEAREST
        )
        for extreme in (cv2.erode, cv2.dilate)
    )
    return np.clip(lanczos(alpha, upscale), lowest, highest)


def clean_edges(rgb: Pixels, alpha: Pixels | None, upscale: int) -> Pixels:
    """`rgb` (h, w, 3) with its invisible pixels coloured like the nearest visible ones.

    Otherwise hidden colours would bleed into the edges when the picture is enlarged. At upscale 1
    that cannot happen, and nothing is changed.
    """
    if alpha is None or upscale == 1 or alpha.all() or not alpha.any():
        return rgb
    _, nearest = cv2.distanceTransformWithLabels(
        (alpha == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    sources = np.empty(nearest.max() + 1, np.int32)
    sources[nearest[alpha > 0]] = np.flatnonzero(alpha)
    return rgb.reshape(-1, 3)[sources[nearest]]


def shrink(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """`pixels` (h, w) or (h, w, c) shrunk to `size` (width, height) by averaging."""
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
