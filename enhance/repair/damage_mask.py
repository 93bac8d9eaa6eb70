"""Decides which pixels are filled in, from how likely each of them is damaged."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from enhance.records import Face, Mask, Pixels

# What the likelihood of one pixel of a mark, and of all of them, must reach at sensitivity 0 and 1.
_CERTAIN = 1.0, 0.99
_LIKELY = 0.15, 0.05
_MARGIN = 0.15  # around a face's box, as a share of its size: hair, ears, earrings
_IN_FACES = 200  # of the likelihood: what is marked in a face
_RIM = np.ones((3, 3), np.uint8)  # marks extend one pixel beyond the visible damage


def damage_mask(likelihood: Pixels, sensitivity: float) -> Mask:
    """Which pixels to fill in, (h, w) bool.

    A connected patch of likely damage is marked if part of it is certain. So a scratch is followed
    to its faint ends, while the outlines of objects, which look slightly like damage everywhere but
    nowhere for certain, are left alone.

    likelihood: of `DamageDetector`. sensitivity: 0 marks only what is certain, 1 what is likely.
    """
    certain, likely = (
        round(255 * (strict + (lenient - strict) * sensitivity))
        for strict, lenient in (_CERTAIN, _LIKELY)
    )
    count, parts = cv2.connectedComponents((likelihood >= likely).view(np.uint8))
    chosen = np.zeros(count, np.uint8)
    chosen[parts[likelihood >= certain]] = 1
    return cv2.dilate(chosen[parts], _RIM).view(np.bool_)  # type: ignore[return-value]


def spare_faces(mask: Mask, likelihood: Pixels, faces: Iterable[Face]) -> Mask:
    """The marks without those that lie entirely within a face, (h, w) bool.

    Eyelashes, teeth, glasses and earrings end within the face, while a scratch continues beyond it.
    Where it crosses them, its marks run on along their rims, so marks within a face must be nearly
    certain. Small damage that is left in a face is removed by its restorer.
    """
    height, width = mask.shape
    spared = mask.copy()
    for face in faces:
        # One pixel more: a mark that reaches it leaves the face.
        reach = round(_MARGIN * face.size) + 1
        left, top, right, bottom = (round(side) for side in face.box)
        box = (
            slice(max(0, top - reach), min(height, bottom + reach)),
            slice(max(0, left - reach), min(width, right + reach)),
        )
        count, parts = cv2.connectedComponents(mask[box].view(np.uint8))
        leaves = np.zeros(count, bool)
        for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
            leaves[edge] = True
        certain = cv2.dilate((likelihood[box] >= _IN_FACES).view(np.uint8), _RIM)
        spared[box] &= leaves[parts] & certain.view(np.bool_)
    return spared
