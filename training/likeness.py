"""How much like the person a restored face is: distance by dlib's face recognition network.

The network (King 2017; CC0) turns a face into 128 numbers; the same person's photos are usually
less than 0.6 apart.
"""

from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from enhance.faces.detect import RetinaFaceMobileNet
from training.photos import Image

Descriptor = NDArray[np.float64]

_BOX = 112, 132, 400, 456  # of an aligned face: left, top, right, bottom


class Recognizer:
    """Describes aligned faces, (512, 512, 3) RGB."""

    def __init__(self) -> None:
        import dlib

        models = metadata.distribution("face_recognition_models")

        def located(name: str) -> str:  # importing the package needs an old setuptools
            return str(models.locate_file(f"face_recognition_models/models/{name}.dat"))

        self._dlib: Any = dlib
        self._landmarks = dlib.shape_predictor(located("shape_predictor_5_face_landmarks"))
        self._net = dlib.face_recognition_model_v1(located("dlib_face_recognition_resnet_model_v1"))

    def __call__(self, face: Image) -> Descriptor:
        """The face's 128 numbers."""
        face = np.ascontiguousarray(face)
        shape = self._landmarks(face, self._dlib.rectangle(*_BOX))
        return np.array(self._net.compute_face_descriptor(face, shape))


def landmark_error(detector: RetinaFaceMobileNet, face: Image, true: Image) -> float:
    """Mean distance between the five landmarks of two aligned faces in pixels; NaN if one of them
    is not recognized as a face."""
    found = [detector(picture, 0.5) for picture in (face, true)]
    if not all(found):
        return float("nan")
    ours, theirs = (np.array(max(faces, key=lambda f: f.size).landmarks) for faces in found)
    return float(np.linalg.norm(ours - theirs, axis=1).mean())
