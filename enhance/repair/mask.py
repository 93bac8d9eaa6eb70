"""From how likely each pixel is damaged to which ones are filled in."""

from __future__ import annotations

import cv2
import numpy as np

from enhance.records import Mask, Pixels

_LEAST = 0.9, 0.1  # likelihood from which a pixel is marked, at the sensitivities 0 and 1
_RIM = np.ones((3, 3), np.uint8)  # marks reach a pixel further than what is seen of the damage


def damage_mask(likelihood: Pixels, sensitivity: float) -> Mask:
    """Which pixels to fill in, (h, w) bool.

    likelihood: of `DamageDetector`. sensitivity: 0 marks only what is certain, 1 what is likely.
    """
    strict, lenient = _LEAST
    least = round(255 * (strict + (lenient - strict) * sensitivity))
    marked = (likelihood >= least).view(np.uint8)
    return cv2.dilate(marked, _RIM).view(np.bool_)  # type: ignore[return-value]
