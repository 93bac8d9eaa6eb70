"""A photo keeps the fine detail that a network would smooth away, but not its noise."""

import cv2
import numpy as np
import pytest

from benchmarks.photos import Rgb, astronaut, hopper
from enhance.upscaling import fine_detail, noise
from enhance.upscaling.fine_detail import keep_fine_detail
from tests.pictures import lanczos


def smoothed(photo: Rgb, upscale: int = 1) -> Rgb:
    """What a network that smooths makes of a photo."""
    return lanczos(np.asarray(cv2.GaussianBlur(photo, (0, 0), 1.2)), upscale)


def shrunk(canvas: Rgb, photo: Rgb) -> Rgb:
    size = photo.shape[1::-1]
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)).astype(np.float32)


@pytest.mark.parametrize("upscale", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_clean_photo_keeps_its_detail(upscale: int, dtype: type) -> None:
    # Averaged, so that nothing is left of its own compression.
    small = cv2.resize(astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    photo = small.astype(dtype) * dtype(257 if dtype is np.uint16 else 1)
    canvas = smoothed(photo, upscale)
    before = np.abs(shrunk(canvas, photo) - photo).mean()
    keep_fine_detail(canvas, photo)
    assert canvas.dtype == dtype
    assert np.abs(shrunk(canvas, photo) - photo).mean() < 0.7 * before


@pytest.mark.parametrize("grain", [0.0, 0.8])
@pytest.mark.parametrize("sigma", [4, 14])
def test_noise_does_not_come_back(grain: float, sigma: float) -> None:
    wall = np.full((200, 300, 3), 120, np.uint8)
    wall[:, 150:] = 60
    noise = np.random.default_rng(0).normal(0, 1, wall.shape)
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), grain)) if grain else noise
    photo = (wall + noise / noise.std() * sigma).clip(0, 255).astype(np.uint8)
    canvas = wall.copy()
    keep_fine_detail(canvas, photo)
    inside = np.s_[20:-20, 20:130]
    assert canvas[inside].std() < 0.2 * photo[inside].std()


def test_jpegs_squares_do_not_come_back() -> None:
    clean = np.asarray(cv2.GaussianBlur(astronaut(), (0, 0), 3))
    _, data = cv2.imencode(".jpg", clean, [cv2.IMWRITE_JPEG_QUALITY, 12])
    photo = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    canvas = clean.copy()
    keep_fine_detail(canvas, photo)
    off = [np.abs(x.astype(np.float32) - clean).mean() for x in (canvas, photo)]
    assert off[0] < 0.2 * off[1]


def test_skin_keeps_its_texture_where_jpeg_has_spoiled_edges() -> None:
    _, data = cv2.imencode(".jpg", hopper()[:600, :512], [cv2.IMWRITE_JPEG_QUALITY, 85])
    photo = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    canvas = np.asarray(cv2.GaussianBlur(photo, (0, 0), 2))
    keep_fine_detail(canvas, photo)
    chin = np.s_[300:340, 240:300]
    kept, there = (cv2.Laplacian(x[chin], cv2.CV_32F).std() for x in (canvas, photo))
    assert kept > 0.45 * there


def test_strips_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = astronaut()[:300, :200]
    whole, strips = smoothed(photo, 2), smoothed(photo, 2)
    keep_fine_detail(whole, photo)
    monkeypatch.setattr(fine_detail, "_STRIP", 30 * photo.shape[1])
    keep_fine_detail(strips, photo)
    assert np.abs(whole.astype(int) - strips).max() <= 1


def test_a_large_photos_noise_is_measured_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    photo = (120 + rng.normal(0, 6, (400, 500, 3))).clip(0, 255).astype(np.uint8)
    whole = noise.Noise(photo)
    monkeypatch.setattr(noise, "_WINDOW", 96)
    gray = np.full((8, 8), 120 / 255, np.float32)
    some = noise.Noise(photo)
    assert np.allclose(next(some.around(gray)), next(whole.around(gray)), rtol=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 7), (9, 2000)])
def test_photos_of_any_shape(shape: tuple[int, int]) -> None:
    photo = np.full((*shape, 3), 100, np.uint8)
    canvas = np.full((shape[0] * 2, shape[1] * 2, 3), 100, np.uint8)
    keep_fine_detail(canvas, photo)
    assert (canvas == 100).all()
