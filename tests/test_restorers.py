from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from benchmarks.photos import Damage, Rgb, astronaut, degrade, hopper
from enhance.errors import Cancelled, WeightsInvalid
from enhance.faces import restore
from enhance.faces.detect import RetinaFaceMobileNet
from enhance.faces.geometry import CROP, align, face_matrix
from enhance.faces.paste import match_colors
from enhance.faces.sharpness import sharpness
from enhance.files import sha256
from enhance.models.catalogue import MODELS, weight_files
from enhance.options import Setup
from enhance.pipeline.build import ResidentModels

DAMAGE = Damage(blur=3, down=4)


def go() -> None:
    pass


def aligned(photo: Rgb) -> Rgb:
    """The one face of a photo as a crop in 0..1."""
    (face,) = RetinaFaceMobileNet()(photo, 0.5)
    matrix = face_matrix(face)
    assert matrix is not None
    return align(photo, matrix).astype(np.float32) / 255


@pytest.fixture(scope="module")
def crops() -> Rgb:
    return np.stack([aligned(degrade(photo, DAMAGE)) for photo in (astronaut(), hopper())])


@pytest.fixture(scope="module")
def restored(models: ResidentModels, crops: Rgb) -> Rgb:
    return models.restorer("bundled")(crops, go)


def means(crop: Rgb, block: int = 64) -> Rgb:
    """Mean color of every block, in levels of 8 bits."""
    n = CROP // block
    return crop.reshape(n, block, n, block, 3).mean(axis=(1, 3)) * 255


def blurred(face: Rgb, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(face, (0, 0), sigma))


def test_a_blurred_face_is_less_sharp() -> None:
    face = aligned(hopper())
    found = [sharpness(blurred(face, sigma)) for sigma in (10, 4, 3, 2, 1)]
    assert found == sorted(found)
    assert found[0] == 0
    assert sharpness(face) == 1


def test_noise_is_not_taken_for_sharpness() -> None:
    face = blurred(aligned(hopper()), 8)
    for sigma in (0.01, 0.05, 0.15):
        noise = np.random.default_rng(0).normal(0, sigma, face.shape).astype(np.float32)
        assert sharpness(face + noise) == 0
        assert sharpness(face + blurred(noise, 1.5)) == 0


def test_a_flat_crop_is_not_sharp() -> None:
    assert sharpness(np.full((CROP, CROP, 3), 0.5, np.float32)) == 0


def test_a_restored_face_keeps_its_colors(crops: Rgb, restored: Rgb) -> None:
    assert restored.shape == crops.shape
    assert restored.dtype == np.float32
    assert restored.min() >= 0
    assert restored.max() <= 1
    for before, made in zip(crops, restored, strict=True):
        after = match_colors(made, before)  # as the pipeline does with every restorer
        assert np.abs(means(after, 64) - means(before, 64)).mean() <= 1.5
        # Small blocks differ more where the network moves a strong edge; large ones may not.
        assert np.abs(means(after, 128) - means(before, 128)).max() <= 3


def test_a_restored_face_is_sharper(crops: Rgb, restored: Rgb) -> None:
    for before, after in zip(crops, restored, strict=True):
        middle = (slice(160, 400), slice(130, 380))
        detail = [cv2.Laplacian(np.asarray(c[middle]), cv2.CV_32F).std() for c in (before, after)]
        assert detail[1] > 1.2 * detail[0]


def test_a_restored_face_is_still_the_same_face(crops: Rgb, restored: Rgb) -> None:
    for before, after in zip(crops, restored, strict=True):
        near, far = (np.corrcoef(before.ravel(), c.ravel())[0, 1] for c in (after, after[:, ::-1]))
        assert near > 0.9
        assert near > far + 0.1, "or any picture would do"


def test_faces_together_are_restored_as_alone(
    models: ResidentModels, crops: Rgb, restored: Rgb, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = models.restorer("bundled")
    assert np.array_equal(restorer(crops[1:], go)[0], restored[1])
    monkeypatch.setitem(restore._BATCH, "cpu", 2)
    together = restorer(crops, go)
    assert np.abs(together - restored).mean() < 0.5 / 255
    assert np.abs(together - restored).max() < 4 / 255  # bfloat16 sums in another order


def test_restoring_can_be_stopped(models: ResidentModels, crops: Rgb) -> None:
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        models.restorer("bundled")(crops, checkpoint)
    assert calls == 5


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gfpgan-1.4", "gfpgan-1.4 belong to a different network"),
        ("restoreformer", "other.pth has an unknown architecture"),
    ],
)
def test_weights_of_another_network_are_refused(
    name: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.pth"
    torch.save({"params_ema": {"conv_body_first.weight": torch.zeros(2, 2)}}, path)
    file = replace(weight_files()[name], size=path.stat().st_size, sha256=sha256(path))
    row = replace(MODELS[name], weights=file)
    monkeypatch.setitem(MODELS, name, row)
    models = ResidentModels(Setup(device="cpu", weights=path))
    with pytest.raises(WeightsInvalid, match=sentence):
        models.restorer(name)
