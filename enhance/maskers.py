"""How much of a restored crop shows when it is pasted: crops → soft masks."""

from __future__ import annotations

import numpy as np

from enhance.faces import CROP
from enhance.records import FloatArray


class FeatherMasker:
    """One fixed mask: the middle of the crop whole, fading smoothly to nothing at its edge.

    fade: width of the fade as a share of the crop's edge.
    """

    name = "feather"

    def __init__(self, *, fade: float = 0.18) -> None:
        ramp = np.minimum(np.arange(CROP) + 0.5, CROP - 0.5 - np.arange(CROP)) / (fade * CROP)
        ramp = np.clip(ramp, 0, 1)
        ramp = ramp * ramp * (3 - 2 * ramp)
        self._mask = np.outer(ramp, ramp).astype(np.float32)

    def __call__(self, restored: FloatArray) -> FloatArray:
        """Masks (n, 512, 512) float32 in 0..1 for crops (n, 512, 512, 3) float32 RGB in 0..1."""
        return np.broadcast_to(self._mask, restored.shape[:3])
