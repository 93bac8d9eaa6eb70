"""Looks at a photo before anything is done to it: noise, compression, detail, damage, fading.

Everything is measured in the middle of the photo or in a reduced copy, so that a large photo takes
little longer than a small one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2

from enhance.photos.color import space_of, srgb_view
from enhance.photos.pixels import middle, unit
from enhance.records import Face, Findings, FloatArray, Photo, StopCheck
from enhance.repair.marks import CERTAIN_TWICE, damage_mask, spare_faces
from enhance.repair.tone import judge
from enhance.upscaling.interpolation import resized, shrunk
from enhance.upscaling.noise import blockiness, noise

if TYPE_CHECKING:
    from enhance.pipeline.build import ResidentModels

FACE_DETECTOR, LIKELY = "retinaface-mobilenet", 0.5
"""What finds everything that may be a face, and its threshold."""

_LONGEST = 1024  # pixels: the side of the middle part, and of the copy, that are looked at
_SMALLEST, _SMALLEST_COPY = 48, 64  # pixels: smaller pictures say nothing about detail
_EMPTY = 0.08  # detail of a smaller copy of a photo, below which the photo has none either
_SENSITIVITY = 0.5  # with which damage is looked for
_DETAIL_BLOCK = 12  # pixels; energy is compared in squares of this size
_EVEN = 0.4  # relative deviation of the squares' energy; below this there is only noise, or nothing
_FILL = "opencv"  # what fills damage in before the colors are judged


def look(photo: Photo, models: ResidentModels, stop_check: StopCheck) -> Findings:
    """What is found in a photo. Raises what the models raise."""
    rgb = photo.rgb
    faces = likely_faces(photo, models)
    part = space_of(photo).to_srgb(unit(middle(rgb, _LONGEST)))
    gray = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _LONGEST / max(rgb.shape[:2]))
    small = replace(photo, rgb=shrunk(rgb, _LONGEST))
    likelihood = models.damage_detector(small, stop_check)
    marks = damage_mask(likelihood, _SENSITIVITY)
    marks = spare_faces(marks, likelihood, [_scaled(face, scale) for face in faces])
    fading = judge(models.filler(_FILL)(small, marks, stop_check))
    return Findings(
        noise=round(noise(255 * gray), 2),
        blocks=round(255 * blockiness(gray), 2),
        detail=round(detail(gray), 3),
        damage=round(float((marks & (likelihood >= CERTAIN_TWICE)).mean()), 6),
        faded=round(fading.amount, 3),
        yellowed=round(fading.yellowed, 3),
        black=round(fading.ends[0], 3),
        white=round(fading.ends[1], 3),
        gray=fading.gray,
        faces=tuple(faces),
    )


def likely_faces(photo: Photo, models: ResidentModels) -> list[Face]:
    """Everything in the photo that may be a face, largest first."""
    return models.detector(FACE_DETECTOR)(srgb_view(photo), LIKELY)


def detail(gray: FloatArray) -> float:
    """How much detail a picture (h, w) has at a scale of one pixel; 1 if it is too small to tell.

    Photos that were enlarged twice have at most 0.2, sharp ones from 0.23 up to 1.7. If a photo is
    so blurred that both of the bands that are compared are empty, their ratio says nothing; but
    such a photo has no detail at half or at a quarter of its size either.
    """
    if min(gray.shape) < _SMALLEST:
        return 1.0
    found = _slope(gray)
    for _ in range(2):
        gray = resized(gray, (max(1, gray.shape[1] // 2), max(1, gray.shape[0] // 2)))
        if min(gray.shape) >= _SMALLEST_COPY and (coarse := _slope(gray)) < _EMPTY:
            found = min(found, coarse)
    return found


def _slope(gray: FloatArray) -> float:
    """Of fine over coarse energy in a picture.

    Real detail in one frequency band is strong where the next coarser band is strong, because an
    edge is an edge at every scale. Grain, noise and print raster are evenly spread, so that they
    only raise the intercept.
    """
    height, width = (side // 4 * 4 for side in gray.shape)
    gray = gray[:height, :width]
    half, quarter = (resized(gray, (width // k, height // k)) for k in (2, 4))
    blocks = max(1, width // _DETAIL_BLOCK), max(1, height // _DETAIL_BLOCK)
    fine, coarse = (
        cv2.resize(
            (sharp - cv2.resize(soft, sharp.shape[::-1], interpolation=cv2.INTER_CUBIC)) ** 2,
            blocks,
            interpolation=cv2.INTER_AREA,
        )
        for sharp, soft in ((gray, half), (half, quarter))
    )
    if coarse.std() <= _EVEN * coarse.mean():
        return 0.0
    covariance = ((fine - fine.mean()) * (coarse - coarse.mean())).mean()
    return float(covariance / coarse.var())


def _scaled(face: Face, scale: float) -> Face:
    left, top, right, bottom = (side * scale for side in face.box)
    landmarks = tuple((x * scale, y * scale) for x, y in face.landmarks)
    return replace(face, box=(left, top, right, bottom), landmarks=landmarks)
