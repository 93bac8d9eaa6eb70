"""From how likely each pixel is damaged to which ones are filled in."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from enhance.records import Face, Mask, Pixels

_CERTAIN = 0.998, 0.972  # likelihood that a mark must reach somewhere, at the sensitivities 0 and 1
_LIKELY = 0.25, 0.05  # and that all of its pixels must
_MARGIN = 0.15  # around a face's box, as a share of its size: hair, ears and what hangs on them
_RIM = np.ones((3, 3), np.uint8)  # marks reach a pixel further than what is seen of the damage


def damage_mask(likelihood: Pixels, sensitivity: float) -> Mask:
    """Which pixels to fill in, (h, w) bool.

    What is likely to be damage is marked if any of it surely is: a scratch is followed to its faint
    ends, while the edges of things, which are a little likely everywhere, are left alone.

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


def spare_faces(mask: Mask, faces: Iterable[Face]) -> Mask:
    """The marks without those that lie wholly within a face, (h, w) bool.

    Lashes, teeth, glasses and earrings end where the face does; a scratch goes on. What small
    damage is left in a face, its restorer removes.
    """
    height, width = mask.shape
    spared = mask.copy()
    for face in faces:
        # With a ring of one pixel, in which marks leave the face.
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
        spared[box] &= leaves[parts]
    return spared
