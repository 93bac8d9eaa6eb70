"""The squares that strong compression leaves are smoothed; what may be texture is left alone."""

import cv2
import numpy as np
import pytest

from benchmarks.photos import Rgb, astronaut
from enhance.errors import Cancelled
from enhance.limits import Limits
from enhance.options import Options
from enhance.photos.pixels import brightness
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhancer
from enhance.records import EngineInfo, Photo
from enhance.upscaling import deblocking
from enhance.upscaling.deblocking import deblocked
from enhance.upscaling.noise import blockiness

TRUTH = np.asarray(cv2.resize(astronaut(), (384, 384), interpolation=cv2.INTER_AREA))


def compressed(quality: int, photo: Rgb = TRUTH) -> Rgb:
    _, data = cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[..., ::-1])


def blocks(photo: Rgb) -> float:
    return blockiness(brightness(photo.astype(np.float32)))


def smoothed(photo: Rgb) -> Rgb:
    return deblocked(photo, blocks(photo), lambda: None)


def off(photo: Rgb) -> float:
    return float(np.square(photo.astype(np.float32) - TRUTH).mean())


@pytest.mark.parametrize("quality", [10, 20, 40])
@pytest.mark.parametrize("cut", [0, 5])
def test_squares_go_and_the_picture_comes_nearer_to_the_truth(quality: int, cut: int) -> None:
    photo = compressed(quality)
    made = smoothed(np.ascontiguousarray(photo[cut:, cut:]))
    assert blocks(made) < 0.5 * blocks(photo)
    whole = photo.copy()
    whole[cut:, cut:] = made
    assert off(whole) < 0.95 * off(photo)


@pytest.mark.parametrize("quality", [90, 100])
def test_what_is_hardly_compressed_stays_as_it_is(quality: int) -> None:
    photo = compressed(quality)
    assert smoothed(photo) is photo


def test_texture_does_not_pass_for_squares() -> None:
    """Differences as large as theirs are everywhere."""
    photo = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    assert deblocked(photo, 3.0, lambda: None) is photo


def test_16_bits_and_gray_are_smoothed_alike() -> None:
    photo = compressed(15, np.repeat(TRUTH[..., 1:2], 3, 2))
    made = smoothed(photo)
    assert (made == made[..., :1]).all()
    deep = deblocked(photo.astype(np.uint16) * 257, blocks(photo), lambda: None)
    assert np.abs(deep / 257 - made).max() <= 0.51


def test_bands_leave_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = compressed(15)
    whole = smoothed(photo).astype(int)
    monkeypatch.setattr(deblocking, "_BAND", 96 * photo.shape[1])
    apart = np.abs(smoothed(photo) - whole)
    assert apart.mean() < 0.5
    assert apart[94:98].mean() < apart.mean() + 0.5


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (20, 20)])
def test_photos_of_any_size_can_be_smoothed(size: tuple[int, int]) -> None:
    photo = np.full((*size, 3), 100, np.uint8)
    assert deblocked(photo, 9.0, lambda: None).shape == photo.shape


def test_it_can_be_stopped() -> None:
    def stop() -> None:
        raise Cancelled("The batch was stopped.")

    with pytest.raises(Cancelled):
        deblocked(compressed(10), 5.0, stop)


def test_only_a_photo_that_is_cleaned_is_smoothed(models: ResidentModels) -> None:
    enhancer = Enhancer(models, Limits(), EngineInfo("cpu", "fp32", 0.0))
    photo = Photo("photo", compressed(10), "PNG")

    def made(**options: object) -> Rgb:
        asked = Options(size="1x", restorer="none", **options)  # type: ignore[arg-type]
        return enhancer(photo, asked, lambda: None).pasted()

    assert blocks(made()) < 0.4 * blocks(photo.rgb)
    assert np.array_equal(made(background="lanczos"), photo.rgb)
