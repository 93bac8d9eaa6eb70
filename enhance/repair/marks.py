"""A photo's marks, which say what is repaired: decided, kept as a picture, changed with a brush."""

import io
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from enhance.records import Face, Mask, Pixels

CERTAIN, CERTAIN_TWICE = 254, 255
"""The likelihood from which damage is certain; that of damage that is certain in two ways."""

# What the likelihood of one pixel of a mark, and of all of them, must reach at sensitivity 0 and 1.
_CERTAIN = 1.0, 0.99
_USUAL = 0.5  # sensitivity; up to it, one way to be certain is not enough
_PRINT = 0.002  # unless so much of the photo is certain twice: then it is a damaged print
_LIKELY = 0.15, 0.05
_MARGIN = 0.15  # around a face's box, as a share of its size: hair, ears, earrings
_IN_FACES = 200  # of the likelihood: what is marked in a face
_FEATURES = 0.15  # around eyes, nose and mouth, as a share of a face: glints, teeth, glasses
_SCRATCH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))  # what is wider is seldom one
_THING = 0.1  # unless more of it than this share is certain
_CROSSING = 128  # the likelihood of damage that crosses a thing
_RIM = np.ones((3, 3), np.uint8)  # marks extend one pixel beyond the visible damage
_COLOR, _OPACITY = (255, 32, 96), 210  # how a browser shows marks over the photo


def damage_mask(likelihood: Pixels, sensitivity: float) -> Mask:
    """Which pixels to fill in, (h, w) bool.

    A connected patch of likely damage is marked if part of it is certain. So a scratch is followed
    to its faint ends, while the outlines of objects, which look slightly like damage everywhere but
    nowhere for certain, are left alone, and so are things that scratches touch. Where much is
    certain, cords and whiskers are less likely than further scratches.

    likelihood: of `DamageDetector`. sensitivity: 0 marks only what is certain, 1 what is likely.
    """
    certain, likely = (
        round(255 * (strict + (lenient - strict) * sensitivity))
        for strict, lenient in (_CERTAIN, _LIKELY)
    )
    likelihood = np.where(_things(likelihood), np.uint8(0), likelihood)
    if sensitivity <= _USUAL and np.mean(likelihood >= CERTAIN_TWICE) < _PRINT:
        certain = CERTAIN_TWICE
    count, parts = cv2.connectedComponents((likelihood >= likely).view(np.uint8))
    chosen = np.zeros(count, np.uint8)
    chosen[parts[likelihood >= certain]] = 1
    return cv2.dilate(chosen[parts], _RIM).view(np.bool_)  # type: ignore[return-value]


def _things(likelihood: Pixels) -> Mask:
    """Where things are that a scratch may touch, such as a star on a flag: wide, and likely but
    hardly certain, whatever the sensitivity."""
    likely = (likelihood >= round(255 * sum(_LIKELY) / 2)).view(np.uint8)
    wide = cv2.morphologyEx(likely, cv2.MORPH_OPEN, _SCRATCH)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(wide)
    certain = np.bincount(parts[likelihood >= CERTAIN], minlength=count)
    things = certain < _THING * stats[:, cv2.CC_STAT_AREA]
    things[0] = False
    whole = cv2.dilate(things[parts].view(np.uint8), _RIM).view(np.bool_)
    return whole & (likelihood < _CROSSING)  # type: ignore[no-any-return]


def spare_faces(mask: Mask, likelihood: Pixels, faces: Iterable[Face]) -> Mask:
    """The marks without those of a face's own features, (h, w) bool.

    Eyelashes, teeth, glasses and earrings end within the face, while a scratch continues beyond it;
    dust lies within the face, too, but seldom on its features, and is certain twice. Where a
    scratch crosses them, its marks run on along their rims, so marks within a face must be nearly
    certain.
    """
    height, width = mask.shape
    spared = mask.copy()
    features = np.zeros(mask.shape, np.uint8)
    for face in faces:
        *points, left_corner, right_corner = np.rint(face.landmarks).astype(int).tolist()
        radius = max(1, round(_FEATURES * face.size))
        for point in points:
            cv2.circle(features, point, radius, 1, cv2.FILLED)
        cv2.line(features, left_corner, right_corner, 1, 2 * radius)
    for face in faces:
        # One pixel more: a mark that reaches it leaves the face.
        reach = round(_MARGIN * face.size) + 1
        left, top, right, bottom = (round(side) for side in face.box)
        box = (
            slice(max(0, top - reach), min(height, bottom + reach)),
            slice(max(0, left - reach), min(width, right + reach)),
        )
        count, parts = cv2.connectedComponents(mask[box].view(np.uint8))
        damage = np.zeros(count, bool)
        damage[parts[likelihood[box] >= CERTAIN_TWICE]] = True
        damage[parts[features[box] == 1]] = False
        for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
            damage[edge] = True
        certain = cv2.dilate((likelihood[box] >= _IN_FACES).view(np.uint8), _RIM)
        spared[box] &= damage[parts] & certain.view(np.bool_)
    return spared


@dataclass(frozen=True)
class Stroke:
    """A line drawn with a brush.

    points: (x, y) in pixels of the photo, at least one. width: of the brush, in the same pixels.
    on: it marks what it covers, rather than removing marks.
    """

    points: tuple[tuple[float, float], ...]
    width: float
    on: bool


def brushed(mask: Mask, strokes: Iterable[Stroke]) -> Mask:
    """A copy of the marks (h, w), changed by the strokes in their order."""
    changed = mask.astype(np.uint8)
    for stroke in strokes:
        corners = np.rint([*stroke.points, stroke.points[-1]]).astype(np.int32)  # a dot has two
        cv2.polylines(changed, [corners], False, int(stroke.on), max(1, round(stroke.width)))
    return changed.view(np.bool_)  # type: ignore[return-value]


def as_picture(mask: Mask) -> bytes:
    """The marks as a PNG of one bit per pixel, transparent elsewhere."""
    image = Image.fromarray(mask.view(np.uint8), "P")
    image.putpalette([0, 0, 0, *_COLOR])
    file = io.BytesIO()
    image.save(file, "PNG", bits=1, transparency=bytes([0, _OPACITY]))
    return file.getvalue()


def from_picture(picture: bytes) -> Mask:
    """The inverse of `as_picture`; only for what that has made."""
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image) == 1
