import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import Damage, Rgb, astronaut, degrade, group, hopper
from enhance.errors import Cancelled, PhotoTooLarge
from enhance.limits import Limits
from enhance.options import Options, Setup
from enhance.pipeline import enhancer as pipeline
from enhance.pipeline.build import ResidentModels
from enhance.pipeline.enhancer import Enhanced, Enhancer
from enhance.pipeline.layers import finish
from enhance.pipeline.protocols import Detector
from enhance.records import EngineInfo, Face, Photo
from enhance.upscaling.interpolation import resized, transparency
from tests.pictures import lanczos

PORTRAIT = degrade(hopper(), Damage(down=3))
LANDSCAPE = np.ascontiguousarray(astronaut()[380:, :200])
QUICK = Options(restorer="none", background="lanczos", repair="off", tone="off")
FACES = Options(restorer="bundled", background="lanczos", repair="off", tone="off", size="1x")


def go() -> None:
    pass


class Fixed:
    """A detector that finds what it was given."""

    def __init__(self, faces: list[Face]) -> None:
        self._faces = faces

    def __call__(self, rgb: Rgb, threshold: float) -> list[Face]:
        return self._faces


def photo(rgb: Rgb, alpha: Rgb | None = None) -> Photo:
    return Photo("a photo.png", rgb, "PNG", alpha)


@pytest.fixture(scope="module")
def enhancer(models: ResidentModels) -> Enhancer:
    return Enhancer(models, Limits(), EngineInfo("cpu", models.precision, 1e-4))


@pytest.fixture(scope="module")
def whole(enhancer: Enhancer) -> Enhanced:
    done = enhancer(photo(PORTRAIT), replace(FACES, size="2x"), go)
    done.pasted()
    return done


def test_the_report_says_what_was_done(whole: Enhanced, models: ResidentModels) -> None:
    report = whole.report
    height, width = PORTRAIT.shape[:2]
    assert report.name == "a photo.png"
    assert report.source_size == (width, height)
    assert report.output_size == (width * 2, height * 2) == whole.canvas.shape[1::-1]
    assert (report.restorer, report.background, report.upscale) == ("bundled", "lanczos", 2)
    assert report.restored == tuple(whole.patches) == (0,)
    assert (report.detector, report.masker) == ("retinaface-mobilenet", "feather")
    assert (report.device, report.precision) == ("cpu", models.precision)
    assert list(report.seconds) == ["detect", "restore", "upscale"]
    assert all(seconds >= 0 for seconds in report.seconds.values())
    assert report.notes == ()
    (face,) = report.faces
    assert face.score > 0.8
    assert len(face.landmarks) == 5
    assert 0 < face.box[0] < face.box[2] < width


def test_the_face_changes_and_the_rest_does_not(whole: Enhanced) -> None:
    plain = lanczos(PORTRAIT, 2)
    changed = (whole.canvas != plain).any(axis=2)
    left, top, right, bottom = (round(2 * v) for v in whole.report.faces[0].box)
    assert changed[top:bottom, left:right].mean() > 0.9
    edge = right - left
    far = np.ones_like(changed)
    far[max(0, top - edge) : bottom + edge, max(0, left - edge) : right + edge] = False
    assert not changed[far].any()


def test_weight_zero_leaves_faces_alone(enhancer: Enhancer) -> None:
    done = enhancer(photo(PORTRAIT), replace(FACES, size="2x", weight=0), go)
    assert np.array_equal(done.pasted(), lanczos(PORTRAIT, 2))
    assert len(done.report.faces) == 1
    assert done.report.restored == ()
    assert "restore" not in done.report.seconds


def test_half_the_weight_is_half_the_way(enhancer: Enhancer, whole: Enhanced) -> None:
    done = enhancer(photo(PORTRAIT), replace(FACES, size="2x", weight=0.5), go)
    half = done.pasted(0.5).astype(float)
    plain = lanczos(PORTRAIT, 2).astype(float)
    # The crop's own resampling is pasted along at any weight above zero: between, but for that.
    low, high = np.minimum(plain, whole.canvas), np.maximum(plain, whole.canvas)
    outside = np.maximum(low - half, half - high)
    assert (outside <= 1).mean() > 0.9
    away = [np.abs(canvas - plain).mean() for canvas in (half, whole.canvas)]
    assert 0.2 * away[1] < away[0] < 0.9 * away[1]


def test_a_crowd_is_restored_in_parts(enhancer: Enhancer, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = photo(degrade(group(3, 900, 900), Damage(down=3)))
    together = enhancer(picture, FACES, go)
    monkeypatch.setattr(pipeline, "_TOGETHER", 2)
    apart = enhancer(picture, FACES, go)
    assert together.report.restored == apart.report.restored == (0, 1, 2)
    assert np.array_equal(together.pasted(), apart.pasted())


def test_a_face_that_cannot_be_placed_is_not_restored(models: ResidentModels) -> None:
    """Landmarks that all coincide, then a real face."""
    (real,) = models.detector("retinaface-mobilenet")(PORTRAIT, 0.8)
    point = replace(real, landmarks=(real.landmarks[0],) * 5)

    class Found(ResidentModels):
        def detector(self, name: str) -> Detector:
            return Fixed([point, real])

    found = Found(Setup(device="cpu"))
    found.restorer = models.restorer  # type: ignore[method-assign]
    done = Enhancer(found, Limits(), EngineInfo("cpu", "fp32", 1e-4))(photo(PORTRAIT), FACES, go)
    assert done.report.faces == (point, real)
    assert done.report.restored == tuple(done.patches) == (1,)


def test_sharp_faces_are_not_among_the_restored(enhancer: Enhancer) -> None:
    done = enhancer(photo(hopper()), FACES, go)
    assert len(done.report.faces) == 1
    assert done.report.restored == ()
    assert done.patches == {}
    assert [note for note in done.report.notes if "sharp" in note]


def test_between_sharp_and_soft_the_strength_follows(enhancer: Enhancer) -> None:
    def changed(sigma: float, only_restore_blurred: bool) -> float:
        soft = np.asarray(cv2.GaussianBlur(hopper(), (0, 0), sigma))
        options = replace(FACES, only_restore_blurred=only_restore_blurred)
        done = enhancer(photo(soft), options, go)
        return float(np.abs(done.pasted().astype(int) - soft).mean())

    shares = [changed(sigma, True) / changed(sigma, False) for sigma in (0.4, 1.1, 3)]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert 0.1 < shares[1] < 0.9
    assert shares[2] == 1


def test_no_restorer_means_no_detection(enhancer: Enhancer) -> None:
    done = enhancer(photo(PORTRAIT), QUICK, go)
    assert np.array_equal(done.canvas, lanczos(PORTRAIT, 2))
    assert done.report.faces == ()
    assert done.report.restorer == "none"
    assert done.report.notes == ()
    assert set(done.report.seconds) == {"upscale"}


def test_faces_below_the_smallest_size_are_left(enhancer: Enhancer) -> None:
    picture = photo(group(4, 400, 500))
    every = enhancer(picture, replace(FACES, weight=0), go).report.faces
    assert len(every) == 4
    assert len({round(face.size) for face in every}) > 1
    limit = int(every[1].size)
    some = enhancer(picture, replace(FACES, weight=0, min_face=limit), go).report.faces
    assert some == tuple(face for face in every if face.size >= limit)
    assert 0 < len(some) < 4


def test_a_photo_without_faces_is_enhanced_and_says_so(enhancer: Enhancer) -> None:
    done = enhancer(photo(LANDSCAPE), replace(FACES, size="3x"), go)
    assert np.array_equal(done.canvas, lanczos(LANDSCAPE, 3))
    assert [note for note in done.report.notes if note.startswith("No face was found")]


def test_notes_of_decoding_are_kept(enhancer: Enhancer) -> None:
    done = enhancer(replace(photo(LANDSCAPE), notes=("Converted.",)), QUICK, go)
    assert done.report.notes == ("Converted.",)


def test_an_output_beyond_the_limit_is_refused_before_any_work(models: ResidentModels) -> None:
    pixels = LANDSCAPE.shape[0] * LANDSCAPE.shape[1]
    info = EngineInfo("cpu", "fp32", 1e-4)
    exact = Enhancer(models, Limits(max_output_pixels=9 * pixels), info)
    assert exact(photo(LANDSCAPE), replace(QUICK, size="3x"), go).canvas.shape[1] == 600
    below = Enhancer(models, Limits(max_output_pixels=9 * pixels - 1), info)

    def never() -> None:
        raise AssertionError("work was begun")

    with pytest.raises(PhotoTooLarge, match=r"“a photo\.png” would become 600 × 396") as caught:
        below(photo(LANDSCAPE), replace(QUICK, size="3x"), never)
    assert "smaller size" in str(caught.value)


def test_every_form_of_a_size_counts_against_the_limit(models: ResidentModels) -> None:
    info = EngineInfo("cpu", "fp32", 1e-4)
    limited = Enhancer(models, Limits(max_output_pixels=300_000), info)
    done = limited(photo(LANDSCAPE), replace(QUICK, size="650"), go)
    assert done.report.output_size == done.canvas.shape[1::-1] == (650, 429)
    assert done.report.upscale == 3.25
    for size in ("2000", "min:2000", "short:1320"):
        with pytest.raises(PhotoTooLarge, match=r"2000 × 1320.*Choose a smaller size"):
            limited(photo(LANDSCAPE), replace(QUICK, size=size), go)


@pytest.mark.parametrize("upscale", [0.5, 1.5])
def test_a_face_is_restored_at_any_size(
    enhancer: Enhancer, whole: Enhanced, upscale: float
) -> None:
    done = enhancer(photo(PORTRAIT), replace(FACES, size=f"{upscale}x"), go)
    assert done.report.upscale == upscale
    assert done.report.faces == whole.report.faces, "they are looked for in the photo itself"
    size = done.report.output_size
    expected = resized(whole.canvas, size).astype(int)
    assert np.abs(done.pasted() - expected).mean() < 2


@pytest.mark.parametrize("upscale", [0.5, 1, 1.5, 2])
def test_transparency_is_enlarged_alike(enhancer: Enhancer, upscale: float) -> None:
    alpha = np.ascontiguousarray(LANDSCAPE[..., 0])
    sent, options = photo(LANDSCAPE, alpha), replace(QUICK, size=f"{upscale}x")
    done = finish(0, 1, options, sent, enhancer(sent, options, go), viewed=False)
    made = np.asarray(Image.open(io.BytesIO(done.data)))
    assert np.array_equal(made[..., 3], transparency(alpha, done.report.output_size))


def test_16_bits_stay_16_bits(enhancer: Enhancer, whole: Enhanced) -> None:
    done = enhancer(photo(PORTRAIT.astype(np.uint16) * 257), replace(FACES, size="2x"), go)
    assert done.canvas.dtype == np.uint16
    assert len(done.report.faces) == 1
    assert np.abs(done.pasted() / 257 - whole.canvas).mean() < 0.6


def test_the_photo_itself_is_never_written_to(enhancer: Enhancer) -> None:
    before = PORTRAIT.copy()
    done = enhancer(photo(PORTRAIT), FACES, go)
    assert np.array_equal(done.canvas, PORTRAIT)
    pasted = done.pasted()
    assert np.array_equal(PORTRAIT, before)
    assert not np.array_equal(pasted, PORTRAIT)


def test_the_background_can_be_the_network(enhancer: Enhancer) -> None:
    crop = np.ascontiguousarray(LANDSCAPE[:24, :24])
    done = enhancer(photo(crop), replace(QUICK, background="realesrgan"), go)
    assert done.report.background == "realesrgan"
    assert done.canvas.shape == (48, 48, 3)
    assert not np.array_equal(done.canvas, lanczos(crop, 2))


def test_work_can_be_stopped(enhancer: Enhancer) -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        enhancer(photo(LANDSCAPE), QUICK, stop)
