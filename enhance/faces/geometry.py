"""Face geometry on plain arrays: aligns a face to the template.

Coordinates follow OpenCV: pixel centers are at integers, so the photo's point x is at
(x + 0.5)·s − 0.5 in a photo enlarged by `s`.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from enhance.records import Face, Pixels

CROP = 512
"""Side of an aligned face crop, in pixels."""

# Five-point template of aligned FFHQ faces at 512×512 (as in facexlib's FaceRestoreHelper):
# eyes, nose tip, mouth corners, left before right as seen in the picture.
TEMPLATE = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ]
)
# Of the box's shorter side, from the eyes to the mouth; 0.3 and more in people's faces.
_LEAST_FEATURES = 0.15
# The gray beyond a photo's border with which the face networks were trained.
_OUTSIDE = (132, 133, 135)
_WARP_SIDE = 2**15 - 1  # OpenCV warps no larger picture, so the needed part is cut out first

Matrix = NDArray[Any]
Region = tuple[slice, slice]


def face_matrix(face: Face) -> Matrix | None:
    """The similarity (2, 3) that maps photo pixels to the 512×512 template.

    None if the landmarks are degenerate, or cannot be those of a face: on what only looks like one
    they crowd.
    """
    landmarks = np.array(face.landmarks)
    left_eye, right_eye, _, *mouth = landmarks
    if math.dist(np.mean(mouth, 0), (left_eye + right_eye) / 2) < _LEAST_FEATURES * face.size:
        return None
    matrix, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-9:
        return None
    return np.asarray(matrix, np.float64)


def align(rgb: Pixels, matrix: Matrix) -> Pixels:
    """The face as a (512, 512, 3) crop of the photo's dtype; gray beyond the photo's border."""
    if max(rgb.shape) >= _WARP_SIDE:
        corners = moved(np.linalg.inv(homogeneous(matrix)), corners_of(CROP, CROP))
        rows, columns = region_around(corners, rgb.shape, margin=4)
        rgb = rgb[rows, columns]
        matrix = (homogeneous(matrix) @ translation(columns.start, rows.start))[:2]
    fill = tuple(float(v) * (257 if rgb.dtype == np.uint16 else 1) for v in _OUTSIDE)
    return cv2.warpAffine(
        rgb,
        matrix,
        (CROP, CROP),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )


def homogeneous(matrix: Matrix) -> Matrix:
    """(2, 3) → (3, 3)."""
    return np.vstack([matrix, [0, 0, 1]])


def translation(x: int, y: int) -> Matrix:
    """The map that moves points by (x, y), (3, 3)."""
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)


def corners_of(width: int, height: int) -> Matrix:
    """The outer corners of a picture of this size, (4, 2)."""
    right, bottom = width - 0.5, height - 0.5
    return np.array([[-0.5, -0.5], [right, -0.5], [right, bottom], [-0.5, bottom]])


def moved(matrix: Matrix, points: Matrix) -> Matrix:
    """The points (n, 2) after an affine map (2, 3) or (3, 3)."""
    return points @ matrix[:2, :2].T + matrix[:2, 2]  # type: ignore[no-any-return]


def region_around(points: Matrix, shape: tuple[int, ...], margin: int) -> Region:
    """The region around the points with a margin, clipped to an image of `shape`."""
    low = np.floor(points.min(axis=0)).astype(int) - margin
    high = np.ceil(points.max(axis=0)).astype(int) + margin + 1
    height, width = shape[:2]
    return (
        slice(int(np.clip(low[1], 0, height)), int(np.clip(high[1], 0, height))),
        slice(int(np.clip(low[0], 0, width)), int(np.clip(high[0], 0, width))),
    )
