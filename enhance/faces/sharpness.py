"""Measures how sharp an aligned face is: whether there is anything to restore."""

import cv2
import numpy as np

from enhance.records import FloatArray

_EDGE = 128  # pixels to which a crop is shrunk; detail is what it loses by that
_SOFT, _SHARP = 0.045, 0.07  # detail relative to the crop's contrast
_BLOCKS = 24  # along a side, in which detail is compared
_CALM = 25  # percentile of the blocks that are taken to hold nothing but noise


def sharpness(crop: FloatArray) -> float:
    """How sharp a crop (512, 512, 3; 0..1) is: from 0, soft, to 1, sharp.

    It is sharp if it has fine detail, and detail lies at edges; noise, which lies everywhere, does
    not count. The limits separate public-domain portraits from what `training.face_damage` makes
    of them.
    """
    gray = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.float32)[64:-64, 64:-64]
    contrast = float(gray.std())
    if contrast == 0:
        return 0.0
    side = len(gray) * _EDGE // crop.shape[0]
    small = cv2.resize(gray, (side, side), interpolation=cv2.INTER_AREA)
    lost = gray - cv2.resize(small, gray.shape[::-1], interpolation=cv2.INTER_CUBIC)
    energy = np.asarray(cv2.resize(lost**2, (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA))
    noise = 2 * float(np.percentile(energy, _CALM))
    detail = max(0.0, float(energy.mean()) - noise) ** 0.5 / contrast
    return float(np.clip((detail - _SOFT) / (_SHARP - _SOFT), 0, 1))
