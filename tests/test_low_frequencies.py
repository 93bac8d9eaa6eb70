"""Colors and brightness of larger areas stay the photo's."""

import cv2
import numpy as np
import pytest

from benchmarks.photos import Rgb, astronaut
from enhance.faces.paste import match_colors
from enhance.upscaling.low_frequencies import keep_low_frequencies
from tests.pictures import lanczos
from tests.test_restorers import aligned, means


def low(pixels: Rgb) -> Rgb:
    """What is left at eight photo pixels, of a photo of any size, in 8-bit levels."""
    levels = pixels.astype(np.float32) / (257 if pixels.dtype == np.uint16 else 1)
    return np.asarray(cv2.GaussianBlur(levels, (0, 0), 8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("upscale", "size"), [(1, (300, 200)), (2, (301, 203)), (3, (150, 97))])
def test_a_shift_and_a_smear_are_undone(dtype: type, upscale: int, size: tuple[int, int]) -> None:
    unit = 257 if dtype is np.uint16 else 1
    photo = (astronaut()[: size[0], : size[1]].astype(dtype) // 2 + 50) * dtype(unit)
    canvas = lanczos(photo, upscale)
    canvas += dtype(9 * unit)
    smear = canvas[20 * upscale : 60 * upscale, 40 * upscale : 80 * upscale]
    smear -= dtype(30 * unit)
    before = canvas.copy()
    keep_low_frequencies(canvas, photo)
    small = (size[1], size[0])
    shrunk = [cv2.resize(c, small, interpolation=cv2.INTER_AREA) for c in (before, canvas)]
    off = [np.abs(low(np.asarray(s)) - low(photo)) for s in shrunk]
    assert off[0].mean() > 8
    assert off[1].mean() <= 0.2 * off[0].mean()
    middle = np.s_[35:45, 55:65]  # of the smear
    assert off[1][middle].mean() < 0.35 * off[0][middle].mean()


def test_what_nobody_sees_stays_to_the_bit() -> None:
    photo = astronaut()
    canvas = lanczos(photo, 2)
    canvas[:] = canvas // 2 * 2  # a gray level too dark at most, half a level on average
    before = canvas.copy()
    keep_low_frequencies(canvas, photo)
    assert np.array_equal(canvas, before)


def test_sharper_edges_are_left_alone() -> None:
    photo = np.asarray(cv2.GaussianBlur(astronaut(), (0, 0), 2))
    canvas = lanczos(astronaut(), 2)
    before = canvas.copy()
    keep_low_frequencies(canvas, photo)
    assert np.abs(canvas.astype(int) - before).mean() < 0.2


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 7), (5, 40000)])
def test_photos_of_any_shape(shape: tuple[int, int]) -> None:
    photo = np.full((*shape, 3), 100, np.uint8)
    canvas = np.full((shape[0] * 2, shape[1] * 2, 3), 130, np.uint8)
    keep_low_frequencies(canvas, photo)
    assert canvas.min() == canvas.max() == 101


def test_matching_colors_takes_over_tint_but_not_detail() -> None:
    face = aligned(astronaut())
    tinted = np.clip(face * (0.9, 1.0, 0.8) + (0.05, 0, 0.1), 0, 1).astype(np.float32)
    matched = match_colors(tinted, face)
    difference = np.abs(means(matched) - means(face))
    assert difference.mean() < 0.5
    assert difference.max() < 5  # where the crop ends in plain gray
    assert np.abs(matched - face).mean() < 0.4 * np.abs(tinted - face).mean()
    blurred = np.asarray(cv2.GaussianBlur(face, (0, 0), 4))
    kept = cv2.Laplacian(match_colors(face, blurred), cv2.CV_32F).std()
    assert kept > 0.95 * cv2.Laplacian(face, cv2.CV_32F).std()
