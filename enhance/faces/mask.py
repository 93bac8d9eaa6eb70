"""Soft masks that say how much of a restored crop shows when it is pasted."""

import cv2
import numpy as np

from enhance.faces.geometry import CROP
from enhance.networks.resident import ResidentNet
from enhance.records import FloatArray

# Of ParseNet's classes, all are face except background (0), earrings (14), necklace, clothes, hair.
_IS_FACE = np.ones(19, np.float32)
_IS_FACE[[0, 14, 16, 17, 18]] = 0
_FADE = 0.18  # width of the fade as a fraction of the crop's side
_RIM = 10  # crop pixels at the edge that never show


def feathered(restored: FloatArray) -> FloatArray:
    """Masks (n, 512, 512) float32 in 0..1 for crops (n, 512, 512, 3) float32 RGB in 0..1.

    Each is opaque in the middle of the crop and fades smoothly to nothing at its edge.
    """
    ramp = np.minimum(np.arange(CROP) + 0.5, CROP - 0.5 - np.arange(CROP)) / (_FADE * CROP)
    ramp = np.clip(ramp, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return np.broadcast_to(np.outer(ramp, ramp).astype(np.float32), restored.shape[:3])


class ParseNetMasker:
    """What ParseNet classifies as face, without hair: the mask that facexlib pastes with, softened
    in the same way.

    net: facexlib's `ParseNet`, (n, 3, 512, 512) in −1..1 → (n, 19, 512, 512) class scores.
    """

    def __init__(self, net: ResidentNet) -> None:
        self._net = net

    def __call__(self, restored: FloatArray) -> FloatArray:
        """Masks (n, 512, 512) float32 in 0..1 for crops (n, 512, 512, 3) float32 RGB in 0..1."""
        masks = np.empty(restored.shape[:3], np.float32)
        for mask, crop in zip(masks, restored, strict=True):
            seen = np.rint(crop * 255) / np.float32(255)  # the network was trained on 8-bit files
            classes = self._net(seen[None] * 2 - 1)[0].argmax(axis=2)
            mask[:] = _IS_FACE[classes]
            for _ in range(2):
                mask[:] = cv2.GaussianBlur(mask, (101, 101), 11)
            mask[:_RIM] = mask[-_RIM:] = mask[:, :_RIM] = mask[:, -_RIM:] = 0
        return masks
