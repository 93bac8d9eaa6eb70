"""From how likely each pixel is damaged to which ones are filled in."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.records import Mask, Pixels

_CERTAIN = 0.99, 0.91  # likelihood that a mark must reach somewhere, at the sensitivities 0 and 1
_LIKELY = 0.35, 0.05  # and that all of its pixels must
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
