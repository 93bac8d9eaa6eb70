"""Restores aligned faces with a model: crops → crops."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance.faces.geometry import CROP
from enhance.faces.sharpness import SMALLEST_EDGE, working_edge
from enhance.networks.resident import ResidentNet
from enhance.records import FloatArray, StopCheck

_BATCH = {"cpu": 1, "cuda": 16, "mps": 4}  # faces at once; on a CPU, more would save no time


class RealESRGANFaces:
    """Real-ESRGAN as a face restorer, for machines without the weights of a face model.

    The crop is shrunk until its blur is gone, then enlarged by the ×4 network, which reconstructs
    edges and removes noise and scratches.

    net: (n, 3, h, w) in 0..1 → (n, 3, 4h, 4w).
    """

    def __init__(self, net: ResidentNet) -> None:
        self._net = net

    def __call__(self, crops: FloatArray, stop_check: StopCheck, quick: bool = False) -> FloatArray:
        """crops: (n, 512, 512, 3) float32 RGB in 0..1; so is the result.

        stop_check: called often during the work; it may raise to stop it. quick: shrink every crop
        as far as possible.
        """
        restored = np.empty_like(crops)
        edges = np.array([SMALLEST_EDGE if quick else working_edge(crop) for crop in crops])
        with self._net.interruptible(stop_check):
            for edge in np.unique(edges):
                self._restore(crops, restored, np.flatnonzero(edges == edge), int(edge))
        return restored

    def _restore(
        self,
        crops: FloatArray,
        restored: FloatArray,
        members: NDArray[np.intp],
        edge: int,
    ) -> None:
        small = np.stack([_resize(crops[i], edge) for i in members])

        def run(size: int) -> None:
            for start in range(0, len(members), size):
                batch = self._net(small[start : start + size])
                for i, big in zip(members[start:], batch, strict=False):
                    restored[i] = _resize(big, CROP).clip(0, 1)

        self._net.shrinking(_BATCH[self._net.device.type], 1, run)


class FaceNet:
    """A network made for aligned faces: GFPGAN, RestoreFormer.

    net: (n, 3, 512, 512) in −1..1 → the same.
    """

    def __init__(self, net: ResidentNet) -> None:
        self._net = net

    def __call__(self, crops: FloatArray, stop_check: StopCheck, quick: bool = False) -> FloatArray:
        """See `RealESRGANFaces.__call__`; `quick` makes no difference here."""
        restored = np.empty_like(crops)

        def run(size: int) -> None:
            for start in range(0, len(crops), size):
                part = slice(start, start + size)
                restored[part] = np.clip(self._net(crops[part] * 2 - 1) / 2 + 0.5, 0, 1)

        with self._net.interruptible(stop_check):
            self._net.shrinking(_BATCH[self._net.device.type], 1, run)
        return restored


def _resize(crop: FloatArray, edge: int) -> FloatArray:
    method = cv2.INTER_AREA if edge < crop.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(crop, (edge, edge), interpolation=method)  # type: ignore[return-value]
