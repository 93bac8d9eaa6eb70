import itertools
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.photos import Rgb, astronaut, hopper
from enhance.faces import paste as paste_module
from enhance.faces.geometry import CROP, TEMPLATE, align, face_matrix
from enhance.faces.mask import feathered
from enhance.faces.paste import Patch, paste
from enhance.records import Face
from tests.pictures import lanczos

# (center, width of the 512×512 crop in photo pixels, degrees) on a photo of 512×512
PLACES = {
    "upright": ((250.3, 240.8), 300, 0),
    "turned": ((260.1, 230.4), 260, 37),
    "upside down": ((255.7, 255.2), 200, 171),
    "small": ((120.4, 300.6), 60, -12),
    "tiny": ((333.3, 150.9), 18, 8),
    "left border": ((10.2, 200.7), 140, -20),
    "corner": ((508.1, 505.4), 180, 5),
    "top, small": ((300.8, 2.1), 40, 15),
    "larger than the photo": ((250.0, 260.0), 700, 3),
}
WHOLE = np.ones((CROP, CROP), np.float32)
SOFT = feathered(np.empty((1, CROP, CROP, 3), np.float32))[0]


def place(name: str) -> Rgb:
    """The matrix photo → crop of a face that lies as PLACES says."""
    center, width, degrees = PLACES[name]
    return similarity(center, width, degrees)


def similarity(center: tuple[float, float], width: float, degrees: float) -> Rgb:
    matrix = cv2.getRotationMatrix2D(center, degrees, CROP / width)
    moved: Rgb = np.array(matrix)
    moved[:, 2] += (CROP - 1) / 2 - np.array(center)
    return moved


def face_at(matrix: Rgb) -> Face:
    inverse = cv2.invertAffineTransform(matrix)
    # Real landmarks never fit the template exactly.
    points = TEMPLATE + np.random.default_rng(1).normal(0, 6, TEMPLATE.shape)
    points = points @ inverse[:, :2].T + inverse[:, 2]
    return Face((0, 0, 1, 1), 0.9, tuple((float(x), float(y)) for x, y in points))


def blurred() -> Rgb:
    return np.asarray(cv2.GaussianBlur(astronaut(), (0, 0), 8))


def waves() -> Rgb:
    """Smooth, but steep everywhere: a shift of half a pixel is more than two levels."""
    y, x = np.mgrid[:512, :512]
    both = [np.sin(2 * np.pi * (x * a + y * b) / 40) for a, b in ((1, 0), (0, 1), (0.7, 0.7))]
    return np.rint(127 + 120 * np.stack(both, 2)).astype(np.uint8)


def unrestored(photo: Rgb, matrix: Rgb, mask: Rgb = SOFT) -> Patch:
    crop = align(photo, matrix).astype(np.float32) / np.iinfo(photo.dtype).max
    return Patch.of(matrix, crop, mask)


def pasted(canvas: Rgb, patches: list[Patch], upscale: float) -> None:
    """Paste into a canvas that is so many times as large as its photo."""
    height, width = (round(side / upscale) for side in canvas.shape[:2])
    paste(canvas, patches, (width, height))


def change(photo: Rgb, patches: list[Patch], upscale: float) -> float:
    """By how many levels of 8 bits pasting the patches changes the enlarged photo at most."""
    before = lanczos(photo, upscale)
    after = before.copy()
    pasted(after, patches, upscale)
    levels = np.iinfo(photo.dtype).max / 255
    return float(np.abs(after.astype(float) - before).max() / levels)


def outline(matrix: Rgb, shape: tuple[int, ...], upscale: int, margin: int = 2) -> Rgb:
    """Which canvas pixels a crop can reach: its outline, widened by `margin`."""
    corners = np.array([[0, 0], [CROP, 0], [CROP, CROP], [0, CROP]]) - 0.5
    inverse = cv2.invertAffineTransform(matrix)
    corners = (corners @ inverse[:, :2].T + inverse[:, 2] + 0.5) * upscale - 0.5
    inside = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.rint(corners).astype(np.int32), 1)
    return cv2.dilate(inside, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0


def constant(matrix: Rgb, value: float, mask: Rgb = SOFT) -> Patch:
    return Patch.of(matrix, np.full((CROP, CROP, 3), value, np.float32), mask)


# Alignment


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("photo", [astronaut(), hopper()], ids=["astronaut", "hopper"])
def test_the_crop_is_the_references_byte_for_byte(photo: Rgb, name: str) -> None:
    face = face_at(place(name))
    matrix = face_matrix(face)
    assert matrix is not None
    points: Any = np.array(face.landmarks)
    reference = cv2.estimateAffinePartial2D(points, TEMPLATE, method=cv2.LMEDS)[0]
    bgr = np.ascontiguousarray(photo[..., ::-1])
    expected = cv2.warpAffine(
        bgr,
        reference,
        (CROP, CROP),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(135, 133, 132),
    )
    crop = align(photo, matrix)
    assert crop.std() > 5
    assert np.array_equal(crop[..., ::-1], expected)


@pytest.mark.parametrize("name", ["upright", "tiny", "corner"])
def test_a_deep_crop_is_the_same_crop(name: str) -> None:
    shallow = align(astronaut(), place(name))
    deep = align(astronaut().astype(np.uint16) * 257, place(name))
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - shallow).max() <= 1


def test_the_matrix_brings_landmarks_to_the_template() -> None:
    matrix = face_matrix(face_at(place("turned")))
    assert matrix is not None
    points = np.array(face_at(place("turned")).landmarks)
    assert np.abs(points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE).mean() < 8


@pytest.mark.parametrize("points", [[(5.0, 5.0)] * 5, [(float("nan"), 0.0)] * 5])
def test_landmarks_that_form_no_face_give_no_matrix(points: list[tuple[float, float]]) -> None:
    assert face_matrix(Face((0, 0, 9, 9), 0.9, tuple(points))) is None


def test_a_face_without_room_for_features_cannot_be_placed() -> None:
    eyes, nose, mouth = ((20.0, 30.0), (60.0, 30.0)), (40.0, 50.0), ((25.0, 70.0), (55.0, 70.0))
    assert face_matrix(Face((0, 0, 80, 100), 0.9, (*eyes, nose, *mouth))) is not None
    crowded = tuple((40 + x / 10, 50 + y / 10) for x, y in (*eyes, nose, *mouth))
    assert face_matrix(Face((0, 0, 80, 100), 0.9, crowded)) is None


# Pasting back what was cut out changes nothing


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("upscale", [0.5, 1, 1.5, 2, 3, 4])
@pytest.mark.parametrize("name", PLACES)
def test_an_unrestored_face_leaves_the_photo_as_it_was(
    name: str, upscale: float, dtype: type
) -> None:
    photo: Rgb = blurred().astype(dtype) * (np.iinfo(dtype).max // 255)
    assert change(photo, [unrestored(photo, place(name))], upscale) <= 2


INNER = ("upright", "turned", "small", "tiny")


@pytest.mark.parametrize("upscale", [1, 2, 3, 4])
@pytest.mark.parametrize("name", INNER)
def test_on_a_steep_photo_too(name: str, upscale: int) -> None:
    assert change(waves(), [unrestored(waves(), place(name))], upscale) <= 2


@pytest.mark.parametrize("upscale", [1, 2, 3, 4])
@pytest.mark.parametrize("name", INNER)
def test_that_check_notices_half_a_canvas_pixel(name: str, upscale: int) -> None:
    patch = unrestored(waves(), place(name))
    shifted = patch.matrix.copy()
    shifted[:, 2] += shifted[:, :2] @ (0.5 / upscale, 0.5 / upscale)
    assert change(waves(), [Patch(shifted, patch.pixels, patch.mask)], upscale) > 2


@pytest.mark.parametrize("upscale", [1, 2, 4])
def test_many_overlapping_unrestored_faces_leave_the_photo_as_it_was(upscale: int) -> None:
    photo = blurred()
    patches = [unrestored(photo, place(name)) for name in ("upright", "turned", "small")]
    assert change(photo, patches, upscale) <= 2


def test_a_patch_holds_no_more_than_white_and_no_less_than_black() -> None:
    beyond = np.full((CROP, CROP, 3), -0.2, np.float32)
    beyond[:256] = 1.3
    patch = Patch.of(place("upright"), beyond, WHOLE * 1.5)
    assert (patch.pixels[:256] == 65535).all()
    assert (patch.pixels[256:] == 0).all()
    assert (patch.mask == 65535).all()


# Where a face lies


@pytest.mark.parametrize("upscale", [1, 3])
@pytest.mark.parametrize("name", PLACES)
def test_nothing_outside_the_face_is_touched(name: str, upscale: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3)).astype(np.uint8)
    before = lanczos(noise, upscale)
    after = before.copy()
    pasted(after, [constant(place(name), 1.0, WHOLE)], upscale)
    inside = outline(place(name), before.shape, upscale)
    assert np.array_equal(after[~inside], before[~inside])
    assert (after != before).any()


@pytest.mark.parametrize("upscale", [1, 2, 4])
@pytest.mark.parametrize("name", PLACES)
def test_the_middle_of_a_face_is_the_crop(name: str, upscale: int) -> None:
    canvas = np.zeros((512 * upscale, 512 * upscale, 3), np.uint8)
    pasted(canvas, [constant(place(name), 0.6, WHOLE)], upscale)
    (x, y), width, degrees = PLACES[name]
    inner = outline(similarity((x, y), width * 0.8, degrees), canvas.shape, upscale, margin=0)
    rim = 6 * upscale  # at the photo's border the gray beyond it must not shine through
    inner[:rim] = inner[-rim:] = inner[:, :rim] = inner[:, -rim:] = False
    assert inner.any()
    assert (canvas[inner] == 153).all()


@pytest.mark.parametrize("center", [(-900.0, 100.0), (100.0, 2000.0), (5000.0, -5000.0)])
def test_a_face_outside_does_nothing(center: tuple[float, float]) -> None:
    canvas = blurred()
    pasted(canvas, [constant(similarity(center, 300, 30), 1.0, WHOLE)], 1)
    assert np.array_equal(canvas, blurred())


def test_no_faces_change_nothing() -> None:
    canvas = blurred()
    pasted(canvas, [], 1)
    assert np.array_equal(canvas, blurred())


@pytest.mark.parametrize("names", [("upright",), ("larger than the photo",), ("upright", "turned")])
def test_a_face_larger_than_a_band_is_pasted_like_a_small_one(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    patches = [unrestored(astronaut(), place(name)) for name in names]
    results = []
    for band in (10**9, 20_000, 1):
        monkeypatch.setattr(paste_module, "_BAND", band)
        canvas = np.zeros((512, 512, 3), np.uint8)
        pasted(canvas, patches, 1)
        results.append(canvas.astype(int))
    assert results[0].any()
    assert np.abs(results[1] - results[0]).max() <= 1
    assert np.abs(results[2] - results[0]).max() <= 1


def test_a_face_of_several_bands_leaves_no_seam() -> None:
    canvas = np.zeros((2000, 2000, 3), np.uint8)
    pasted(canvas, [constant(similarity((250, 250), 480, 2), 0.6, WHOLE)], 4)
    assert canvas.size // 3 > paste_module._BAND
    assert (canvas[200:1800, 200:1800] == 153).all()


# Overlapping faces


def overlapping() -> list[Patch]:
    return [
        constant(similarity((200, 256), 260, 10), 0.2),
        constant(similarity((310, 256), 260, -5), 0.8),
        constant(similarity((260, 330), 200, 25), 0.5),
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("upscale", [1, 2])
def test_the_order_of_overlapping_faces_does_not_matter(upscale: int, dtype: type) -> None:
    base = lanczos(blurred().astype(dtype) * (np.iinfo(dtype).max // 255), upscale)
    results = []
    for order in itertools.permutations(overlapping()):
        canvas = base.copy()
        pasted(canvas, list(order), upscale)
        results.append(canvas.astype(int))
    spread = np.max(results, axis=0) - np.min(results, axis=0)
    assert spread.max() <= (1 if dtype == np.uint8 else 2)  # of 65535: each face rounds once


def test_overlapping_faces_stay_between_the_two() -> None:
    canvas = np.full((512, 512, 3), 128, np.uint8)
    dark, light, _ = overlapping()
    pasted(canvas, [dark, light], 1)
    assert canvas.min() >= 50
    assert canvas.max() <= 205
    assert canvas[256, 130, 0] == 51, "the dark one alone"
    assert canvas[256, 380, 0] == 204, "the light one alone"
    middle = canvas[256, 200:311, 0].astype(int)
    assert (np.diff(middle) >= 0).all(), "from one to the other without a ridge"
    assert 51 < middle[55] < 204
