"""Restores aligned faces with a model: crops → crops."""

import numpy as np

from enhance.networks.resident import ResidentNet
from enhance.records import FloatArray, StopCheck

_BATCH = {"cpu": 1, "cuda": 16, "mps": 4}  # faces at once; on a CPU, more would save no time


class FaceNet:
    """A network made for aligned faces: the bundled one, GFPGAN, RestoreFormer.

    net: (n, 3, 512, 512) → the same.
    """

    def __init__(self, net: ResidentNet, low: float = -1.0) -> None:
        """low: what the network takes for black; white is 1."""
        self._net = net
        self._low = low

    def __call__(self, crops: FloatArray, stop_check: StopCheck) -> FloatArray:
        """crops: (n, 512, 512, 3) float32 RGB in 0..1; so is the result.

        stop_check: called often during the work; it may raise to stop it.
        """
        restored = np.empty_like(crops)
        span = 1 - self._low

        def run(size: int) -> None:
            for start in range(0, len(crops), size):
                part = slice(start, start + size)
                made = self._net(crops[part] * span + self._low)
                restored[part] = np.clip((made - self._low) / span, 0, 1)

        self._net.shrinking(_BATCH[self._net.device.type], 1, run, stop_check)
        return restored
