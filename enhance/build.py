"""The only tables from a name to a class: wires a Setup into resident models."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import safetensors.torch
from torch import Tensor, nn

from enhance.checkpoints import load_checkpoint
from enhance.choices import resolve, weights_path
from enhance.compat import prepare
from enhance.detectors import RetinaFaceMobileNet, RetinaFaceR50
from enhance.errors import OptionsError, WeightsInvalid
from enhance.maskers import FeatherMasker, ParseNetMasker
from enhance.nets.damage import DamageNet
from enhance.nets.gfpgan import GFPGAN
from enhance.nets.ncnn import load_convolutions, read_convolutions
from enhance.nets.rrdbnet import RRDBNet
from enhance.nets.srvgg import SRVGGNetCompact
from enhance.pipeline import Detector, Enhancer, Masker, Restorer, Upscaler
from enhance.records import EngineInfo, Limits, Options, Setup
from enhance.repair.detect import DamageDetector
from enhance.restorers import FaceNet, RealESRGANFaces
from enhance.sentences import Sentence, say
from enhance.tensors import Place, ResidentNet
from enhance.upscalers import Lanczos, TiledNet
from enhance.weights import COMPACT, DAMAGE, X4PLUS_BIN, X4PLUS_PARAM

log = logging.getLogger(__name__)

# How far RRDBNet looks: with this much context the result of a tile differs from the whole
# photo's by at most one grey level. SRVGGNetCompact sees 34 pixels far, exactly; with half as many
# convolutions 18.
_RRDB_OVERLAP = 64
_SRVGG_OVERLAP = 34
_COMPACT_OVERLAP = 18
# Larger tiles of the small network fall out of a CPU's cache: 576 takes twice as long as 256.
_COMPACT_TILE = {"cpu": 256}
_TRIAL = 48  # edge of the picture that warms the models up and tells how fast they are

T = TypeVar("T")


class ResidentModels:
    """Models by name, each loaded once, when first asked for. Not thread-safe."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._place = Place.of(setup)
        self._loaded: dict[str, object] = {}
        self.device = self._place.device.type
        self.precision = self._place.precision
        self._detectors: dict[str, Callable[[], Detector]] = {
            "retinaface-mobilenet": RetinaFaceMobileNet,
            "retinaface-r50": self._retinaface_r50,
        }
        self._maskers: dict[str, Callable[[], Masker]] = {
            "feather": FeatherMasker,
            "parsenet": self._parsenet,
        }
        self._restorers: dict[str, Callable[[], Restorer]] = {
            "bundled": lambda: RealESRGANFaces(self._x4plus),
            "gfpgan-1.2": lambda: self._gfpgan("gfpgan-1.2"),
            "gfpgan-1.3": lambda: self._gfpgan("gfpgan-1.3"),
            "gfpgan-1.4": lambda: self._gfpgan("gfpgan-1.4"),
            "restoreformer": self._restoreformer,
        }
        self._upscalers: dict[str, Callable[[], Upscaler]] = {
            "lanczos": Lanczos,
            "compact": lambda: compact_upscaler(COMPACT.read(), self._place),
            "realesrgan": lambda: TiledNet(
                "realesrgan", self._x4plus, scale=4, overlap=_RRDB_OVERLAP, adapts=True
            ),
            "realesrgan-x2plus": self._x2plus,
            "realesr-general-x4v3": self._general_x4v3,
        }
        log.info("models run on %s in %s", self.device, self.precision)

    def resolve(self, options: Options) -> tuple[Options, tuple[str, ...]]:
        """See `pipeline.Models.resolve`."""
        return resolve(options, self.device, self._setup.weights)

    def detector(self, name: str) -> Detector:
        return self._resident(say("detector"), self._detectors, name)

    def masker(self, name: str) -> Masker:
        return self._resident(say("masker"), self._maskers, name)

    def restorer(self, name: str) -> Restorer:
        return self._resident(say("restorer"), self._restorers, name)

    def upscaler(self, name: str) -> Upscaler:
        return self._resident(say("background upscaler"), self._upscalers, name)

    def _resident(self, kind: Sentence, table: dict[str, Callable[[], T]], name: str) -> T:
        if name not in table:
            raise OptionsError(say("There is no {kind} called {name!r}.", kind=kind, name=name))
        if name not in self._loaded:
            self._loaded[name] = table[name]()
        return self._loaded[name]  # type: ignore[return-value]

    @cached_property
    def damage_detector(self) -> DamageDetector:
        return damage_detector(DAMAGE.read(), self._place)

    @cached_property
    def _x4plus(self) -> ResidentNet:
        net = RRDBNet()
        load_convolutions(net, read_convolutions(X4PLUS_PARAM.read().decode(), X4PLUS_BIN.read()))
        return ResidentNet(net, self._place)

    def _checkpoint(self, name: str) -> dict[str, Tensor]:
        return load_checkpoint(weights_path(name, self._setup.weights))

    def _upstream(self, name: str, net: nn.Module) -> nn.Module:
        """`net` with the checkpoint's tensors, which must fit it exactly."""
        try:
            net.load_state_dict(self._checkpoint(name), strict=True)
        except RuntimeError as error:
            raise WeightsInvalid(
                say("The weights of {name} belong to another network.", name=name)
            ) from error
        return net

    def _gfpgan(self, name: str) -> Restorer:
        net = GFPGAN.from_upstream(self._upstream(name, upstream_gfpgan()))
        return FaceNet(name, ResidentNet(net, self._place))

    def _restoreformer(self) -> Restorer:
        prepare()
        from gfpgan.archs.restoreformer_arch import RestoreFormer

        net = _First(self._upstream("restoreformer", RestoreFormer()))
        # Always fp32: its codebook's distances tie in half precision and other codes are chosen.
        return FaceNet("restoreformer", ResidentNet(net, replace(self._place, precision="fp32")))

    def _parsenet(self) -> Masker:
        prepare()
        from facexlib.parsing.parsenet import ParseNet

        net = _First(self._upstream("parsenet", ParseNet(in_size=512, out_size=512, parsing_ch=19)))
        return ParseNetMasker(ResidentNet(net, self._place))

    def _retinaface_r50(self) -> Detector:
        prepare()
        from facexlib.detection.retinaface import RetinaFace

        net = RetinaFace(network_name="resnet50", device="cpu")
        return RetinaFaceR50(self._upstream("retinaface-r50", net), self._place)

    def _x2plus(self) -> Upscaler:
        name = "realesrgan-x2plus"
        net = ResidentNet(self._upstream(name, RRDBNet(scale=2)), self._place)
        return TiledNet(name, net, scale=2, overlap=_RRDB_OVERLAP, multiple=2)

    def _general_x4v3(self) -> Upscaler:
        name = "realesr-general-x4v3"
        net = ResidentNet(self._upstream(name, SRVGGNetCompact()), self._place)
        return TiledNet(name, net, scale=4, overlap=_SRVGG_OVERLAP)


def damage_detector(weights: bytes, place: Place) -> DamageDetector:
    """What finds damage. weights: a safetensors file of `training.detect`."""
    net = DamageNet()
    net.load_state_dict(safetensors.torch.load(weights))
    return DamageDetector(ResidentNet(net, place))


def compact_upscaler(weights: bytes, place: Place) -> Upscaler:
    """The compact network over tiles. weights: a safetensors file of `training.distil`."""
    net = SRVGGNetCompact(convolutions=16)
    net.load_state_dict(safetensors.torch.load(weights))
    return TiledNet(
        "compact",
        ResidentNet(net, place),
        scale=4,
        overlap=_COMPACT_OVERLAP,
        largest_tile=_COMPACT_TILE.get(place.device.type),
    )


def upstream_gfpgan() -> nn.Module:
    """GFPGAN's own module, built as for its released weights 1.2, 1.3 and 1.4."""
    prepare()
    from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean

    return GFPGANv1Clean(
        out_size=512,
        num_style_feat=512,
        channel_multiplier=2,
        decoder_load_path=None,
        fix_decoder=False,
        num_mlp=8,
        input_is_latent=True,
        different_w=True,
        narrow=1,
        sft_half=True,
    )


class _First(nn.Module):
    """The first output of a network that has several."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.net(x)[0]
        return first


def load_enhancer(setup: Setup, limits: Limits) -> Enhancer:
    """An enhancer whose everyday models are in memory and warm.

    Raises WeightsError when weights are missing or altered.
    """
    models = ResidentModels(setup)
    usual, _ = models.resolve(Options())
    models.detector(usual.detector)(np.zeros((_TRIAL, _TRIAL, 3), np.uint8), 0.5)
    models.restorer(usual.restorer)
    models.upscaler(usual.background)
    return Enhancer(models, limits, EngineInfo(models.device, models.precision, _trial(models)))


def _trial(models: ResidentModels) -> float:
    """Seconds per pixel that the bundled ×4 network takes on this machine."""
    upscaler = models.upscaler("realesrgan")
    picture = np.zeros((_TRIAL, _TRIAL, 3), np.uint8)
    seconds = []
    for _ in range(2):  # the first pass also prepares kernels and memory
        start = time.perf_counter()
        upscaler(picture, 4, _TRIAL, lambda: None)
        seconds.append(time.perf_counter() - start)
    return min(seconds) / _TRIAL**2
