"""The same pixels as GFPGAN's own package, from the same random weights in its own format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from benchmarks.photos import hopper
from benchmarks.reference import (
    random_gfpgan,
    repair_nms,
    save_reference_weights,
    trusted,
    upstream_restorer,
)
from enhance.faces.geometry import align, face_matrix
from enhance.faces.paste import Patch, paste
from enhance.options import Options, Setup
from enhance.pipeline.build import ResidentModels
from enhance.records import Face, FloatArray
from tests.pictures import lanczos

UPSCALE = 2


@dataclass(frozen=True)
class Both:
    """One photo through upstream and through our parts, in fp32."""

    face: Face
    their_crop: Any
    their_face: Any
    their_photo: Any
    our_crop: Any
    our_face: FloatArray
    our_mask: FloatArray
    matrix: Any


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The reference's checkpoints, taken for the catalogue's."""
    folder = tmp_path_factory.mktemp("reference")
    checkpoint = save_reference_weights(folder, random_gfpgan())
    with trusted(checkpoint.parent):
        yield checkpoint


@pytest.fixture(scope="module")
def both(weights: Path) -> Both:
    rgb = hopper()
    models = ResidentModels(Setup(device="cpu", precision="fp32"))
    face = models.detector("retinaface-mobilenet")(rgb, 0.8)[0]
    reference = upstream_restorer(weights.parents[2], weights, [face], UPSCALE)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    crops, faces, photo = reference.enhance(bgr)

    # As upstream had it: landmarks pass through float32.
    rounded = tuple((float(np.float32(x)), float(np.float32(y))) for x, y in face.landmarks)
    face = Face(face.box, face.score, rounded)
    matrix = face_matrix(face)
    assert matrix is not None
    crop = align(rgb, matrix)
    restored = models.restorer("gfpgan-1.4")(crop[None] / np.float32(255), lambda: None)
    mask = models.masker("parsenet")(restored)
    return Both(
        face,
        crops[0][..., ::-1],
        faces[0][..., ::-1],
        photo[..., ::-1],
        crop,
        restored[0],
        mask[0],
        matrix,
    )


def test_crops_are_the_same_bytes(both: Both) -> None:
    assert np.array_equal(both.our_crop, both.their_crop)


def test_restored_faces_differ_by_at_most_one_level(both: Both) -> None:
    ours = np.rint(both.our_face * 255)
    assert np.ptp(both.their_face) > 100, "the random network must draw something"
    assert np.abs(ours - both.their_face).max() <= 1


def test_the_photo_differs_only_by_upstreams_half_pixel_and_truncation(both: Both) -> None:
    assert 0.1 < both.our_mask.mean() < 0.95, "the random mask must show and hide something"

    def pasted(shift: float) -> Any:
        """Our paste with the face moved by `shift` canvas pixels; upstream's is 0.5 off."""
        canvas = lanczos(hopper(), UPSCALE)
        matrix = both.matrix.copy()
        matrix[:, 2] -= matrix[:, :2] @ np.full(2, shift / UPSCALE)
        paste(canvas, [Patch.of(matrix, both.our_face, both.our_mask)], hopper().shape[1::-1])
        return canvas.astype(int)

    exact, as_upstream = pasted(0.0), pasted(0.5)
    difference = np.abs(as_upstream - both.their_photo)
    # One level from truncation instead of rounding, one from restored faces cut to 8 bits; a few
    # pixels more where OpenCV's 8-bit warp rounds coordinates, since this net draws pure noise.
    assert np.mean(difference <= 2) > 0.999 and difference.max() <= 5
    assert np.abs(exact - both.their_photo).max() > 2, "the shift must matter for the test to"
    plain = cv2.resize(hopper(), None, fx=UPSCALE, fy=UPSCALE, interpolation=cv2.INTER_LANCZOS4)
    untouched = (exact == plain).all(axis=2)
    assert untouched.any() and not untouched.all()


def test_auto_takes_gfpgan_when_its_weights_are_there(weights: Path) -> None:
    options, notes = ResidentModels(Setup(device="cpu")).resolve(Options())
    assert options.restorer == "gfpgan-1.4" and not notes


def test_the_detector_finds_what_facexlibs_does(weights: Path) -> None:
    """Random weights see faces everywhere; boxes, scores and points must still be the same."""
    models = ResidentModels(Setup(device="cpu", precision="fp32"))
    rgb = np.ascontiguousarray(hopper()[100:260, 120:310])
    repair_nms()
    from facexlib.detection.retinaface import RetinaFace

    state = torch.load(weights.parent / "detection_Resnet50_Final.pth", weights_only=True)
    upstream = RetinaFace(network_name="resnet50", device="cpu")
    upstream.load_state_dict(state)
    with torch.no_grad():
        everything = upstream.detect_faces(rgb[..., ::-1], 0.0)
    threshold = float(np.sort(everything[:, 4])[-min(20, len(everything))])
    with torch.no_grad():
        theirs = upstream.detect_faces(rgb[..., ::-1], threshold)
    ours = models.detector("retinaface-r50")(rgb, threshold)
    inside = [
        row
        for row in theirs
        if row[0] < rgb.shape[1] - 1 and row[2] > 0 and row[1] < rgb.shape[0] - 1 and row[3] > 0
    ]
    assert len(inside) > 3
    best = min(
        max(abs(np.array(face.box) - row[:4]).max(), abs(np.ravel(face.landmarks) - row[5:]).max())
        for face in ours
        for row in inside
    )
    matched = [
        any(np.abs(np.array(face.box) - row[:4]).max() < 0.01 for row in inside) for face in ours
    ]
    assert best < 0.01 and np.mean(matched) > 0.8
