"""Looks at a photo before anything is done to it: noise, compression, detail, damage, fading.

Everything is measured in the middle of the photo or in a reduced copy, so that a large photo takes
little longer than a small one.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from enhance.photos.color import ColorSpace, color_space, srgb_view
from enhance.photos.pixels import unit
from enhance.pipeline.protocols import Models
from enhance.records import Face, Findings, FloatArray, Photo, StopCheck
from enhance.repair.marks import CERTAIN, damage_mask, spare_faces
from enhance.repair.tone import judge
from enhance.upscaling.fine_detail import blockiness
from enhance.upscaling.interpolation import shrunk
from enhance.upscaling.working_size import energy_slope

FACE_DETECTOR, LIKELY = "retinaface-mobilenet", 0.5
"""What finds everything that may be a face, and its threshold."""

_LONGEST = 1024  # pixels: the side of the middle part, and of the copy, that are looked at
_BLOCK = 8  # coefficients: the side of the squares within which noise is measured
_CALM = 10  # percentile of the squares that are taken to show nothing but noise
_OCTAVES = 2  # noise of single pixels, and grain twice as coarse
# Standard deviation of a square's coefficients over that of noise with their median: noise is
# normally distributed and has at most 1.35, JPEG's rounding included; leaves and grass have more.
_TAILS = 1.4
_NORMAL = 0.6745  # median of the absolute values of a normal distribution of sigma 1
_SMALLEST = 48  # pixels: in smaller pictures nothing can be said about detail
_SENSITIVITY = 0.5  # with which damage is looked for
_FILL = "opencv"  # what fills damage in before the colors are judged


def look(photo: Photo, models: Models, stop_check: StopCheck) -> Findings:
    """What is found in a photo. Raises what the models raise."""
    rgb, space = photo.rgb, color_space(photo.icc, photo.gray)
    faces = likely_faces(photo, models, space)
    rows, columns = (
        slice(max(0, side - _LONGEST) // 2, (side + _LONGEST) // 2) for side in rgb.shape[:2]
    )
    gray = cv2.cvtColor(space.to_srgb(unit(rgb[rows, columns])), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _LONGEST / max(rgb.shape[:2]))
    small = shrunk(rgb, _LONGEST)
    likelihood = models.damage_detector(small, stop_check, space)
    marks = damage_mask(likelihood, _SENSITIVITY)
    marks = spare_faces(marks, likelihood, [_scaled(face, scale) for face in faces])
    filler = models.filler(_FILL)
    fading = judge(filler(small, marks, stop_check, space), space)
    return Findings(
        noise=round(noise(255 * gray), 2),
        blocks=round(255 * blockiness(gray), 2),
        detail=round(energy_slope(gray, 2), 3) if min(gray.shape) >= _SMALLEST else 1.0,
        damage=round(float((marks & (likelihood >= CERTAIN)).mean()), 6),
        faded=round(fading.amount, 3),
        yellowed=round(fading.yellowed, 3),
        black=round(fading.ends[0], 3),
        white=round(fading.ends[1], 3),
        gray=fading.gray,
        faces=tuple(faces),
    )


def likely_faces(photo: Photo, models: Models, space: ColorSpace) -> list[Face]:
    """Everything in the photo that may be a face, largest first."""
    return models.detector(FACE_DETECTOR)(srgb_view(photo.rgb, space), LIKELY)


def noise(gray: FloatArray) -> float:
    """The standard deviation of the noise in a picture (h, w; 0..255), in gray levels.

    Donoho and Johnstone (1994) take the median of the finest diagonal wavelet coefficients: few of
    them belong to edges. Grass has many edges, so here that is done in squares, of which the
    calmest count; if even those have edges, which are few but strong, they show no noise. A copy of
    half the size shows the grain of film in the same way.
    """
    found = 0.0
    for _ in range(_OCTAVES):
        height, width = (side // (2 * _BLOCK) * 2 * _BLOCK for side in gray.shape)
        if not height or not width:
            break
        a, b, c, d = (gray[i:height:2, j:width:2] for i in (0, 1) for j in (0, 1))
        diagonal = np.abs(a - b - c + d) / 2
        squares = diagonal.reshape(height // 2 // _BLOCK, _BLOCK, width // 2 // _BLOCK, _BLOCK)
        sigmas = np.median(squares, axis=(1, 3)) / _NORMAL
        sigma = float(np.percentile(sigmas, _CALM))
        calm = sigmas <= sigma
        spread = np.sqrt(np.square(squares).mean(axis=(1, 3)))
        if np.mean(spread[calm] <= _TAILS * sigmas[calm]) >= 0.5:
            found = max(found, sigma)
        gray = (a + b + c + d) / 4
    return found


def _scaled(face: Face, scale: float) -> Face:
    left, top, right, bottom = (side * scale for side in face.box)
    return replace(face, box=(left, top, right, bottom))
