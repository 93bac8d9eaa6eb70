"""The only tables from a name to a class: wires a Setup into resident models."""

from __future__ import annotations

import logging
import time
from functools import cached_property

import numpy as np

from enhance.detectors import RetinaFaceMobileNet
from enhance.errors import OptionsError
from enhance.maskers import FeatherMasker
from enhance.nets.ncnn import load_convolutions, read_convolutions
from enhance.nets.rrdbnet import RRDBNet
from enhance.pipeline import Detector, Enhancer, Masker, Restorer, Upscaler
from enhance.records import EngineInfo, Limits, Setup, default_background
from enhance.restorers import RealESRGANFaces
from enhance.tensors import Place
from enhance.upscalers import Lanczos, TiledNet
from enhance.weights import X4PLUS_BIN, X4PLUS_PARAM

log = logging.getLogger(__name__)

# What x4plus looks at around a pixel: with this much context the result of a tile differs from
# the whole photo's by at most one grey level.
_X4PLUS_OVERLAP = 64
_TRIAL = 48  # edge of the picture that warms the models up and tells how fast they are


class ResidentModels:
    """Models by name, each loaded once, when first asked for. Not thread-safe."""

    def __init__(self, setup: Setup) -> None:
        self._place = Place.of(setup)
        self._restorers: dict[str, Restorer] = {}
        self._upscalers: dict[str, Upscaler] = {}
        self.device = self._place.device.type
        self.precision = self._place.precision
        log.info("models run on %s in %s", self.device, self.precision)

    @cached_property
    def detector(self) -> Detector:
        return RetinaFaceMobileNet()

    @cached_property
    def masker(self) -> Masker:
        return FeatherMasker()

    def restorer(self, name: str) -> Restorer:
        if name not in self._restorers:
            self._restorers[name] = self._make_restorer(name)
        return self._restorers[name]

    def upscaler(self, name: str) -> Upscaler:
        if name == "auto":
            name = default_background(self.device)
        if name not in self._upscalers:
            self._upscalers[name] = self._make_upscaler(name)
        return self._upscalers[name]

    def _make_restorer(self, name: str) -> Restorer:
        if name == "bundled":
            return RealESRGANFaces(self._x4plus, place=self._place)
        raise OptionsError(f"There is no restorer called {name!r}.")

    def _make_upscaler(self, name: str) -> Upscaler:
        if name == "lanczos":
            return Lanczos()
        if name == "realesrgan":
            return TiledNet(name, self._x4plus, 4, place=self._place, overlap=_X4PLUS_OVERLAP)
        raise OptionsError(f"There is no background upscaler called {name!r}.")

    @cached_property
    def _x4plus(self) -> RRDBNet:
        net = RRDBNet()
        load_convolutions(net, read_convolutions(X4PLUS_PARAM.read().decode(), X4PLUS_BIN.read()))
        return net


def load_enhancer(setup: Setup, limits: Limits) -> Enhancer:
    """An enhancer whose everyday models are in memory and warm.

    Raises WeightsError when weights are missing or altered.
    """
    models = ResidentModels(setup)
    trial = np.zeros((_TRIAL, _TRIAL, 3), np.uint8)
    models.detector(trial, 0.5)
    upscaler = models.upscaler("realesrgan")
    seconds = []
    for _ in range(2):  # the first pass also prepares kernels and memory
        start = time.perf_counter()
        upscaler(trial, 4, _TRIAL, lambda: None)
        seconds.append(time.perf_counter() - start)
    info = EngineInfo(models.device, models.precision, min(seconds) / _TRIAL**2)
    return Enhancer(models, limits, info)
