"""Loads the models of the catalogue onto their device; one loader per architecture."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from math import lcm
from typing import Any, TypeVar

import safetensors.torch
import torch
from torch import Tensor

from enhance.errors import OptionsError, WeightsInvalid
from enhance.faces.detect import RetinaFaceMobileNet, RetinaFaceR50
from enhance.faces.mask import ParseNetMasker, feathered
from enhance.faces.restore import FaceNet
from enhance.models.catalogue import Kind, ModelSpec
from enhance.models.catalogue import models as rows
from enhance.models.checkpoints import load_checkpoint, prepare
from enhance.models.files import DAMAGE, ModelFile, PackagedFile
from enhance.models.foreign import read_model
from enhance.models.inventory import weights_path
from enhance.models.ncnn import x4plus_net
from enhance.networks.compact import CompactNet
from enhance.networks.damage import DamageNet
from enhance.networks.described import Described, device_for
from enhance.networks.face import FaceRestorationNet
from enhance.networks.gfpgan import GFPGAN
from enhance.networks.resident import Device, ResidentNet, release
from enhance.options import Options, Setup
from enhance.pipeline.model_choice import resolve
from enhance.pipeline.protocols import Detector, Filler, Masker, Restorer, Upscaler
from enhance.repair.colorize import Colorizer
from enhance.repair.detect import DamageDetector
from enhance.repair.fill import Inpainter, fill
from enhance.upscaling.upscalers import TiledNet, interpolated

log = logging.getLogger(__name__)

# Context of a tile. With this much of it, ESRGAN's tiles differ from the whole photo by at most one
# gray level; of most other networks nothing is known.
_OVERLAP = 64
# Tiles begin at multiples of 16 pixels, so that windows of attention lie as in the whole photo.
_MULTIPLE = 16

T = TypeVar("T")


class ResidentModels:
    """Models by name, each loaded once, when first asked for. Not thread-safe.

    Of those in the models folder, only the last one used of each kind is kept, as there may be
    hundreds.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._loaded: dict[ModelSpec, Any] = {}
        self.runs_on = Device.of(setup)
        self.device = self.runs_on.type
        self.precision = self.runs_on.precision
        log.info("models run on %s in %s", self.device, self.precision)

    def resolve(self, options: Options) -> tuple[Options, dict[str, str]]:
        """See `model_choice.resolve`."""
        return resolve(options, self.device, self._setup.weights)

    def detector(self, name: str) -> Detector:
        return self._resident("detector", name)

    def masker(self, name: str) -> Masker:
        return self._resident("masker", name)

    def restorer(self, name: str) -> Restorer:
        return self._resident("restorer", name)

    def upscaler(self, name: str) -> Upscaler:
        return self._resident("background", name)

    def filler(self, name: str) -> Filler:
        return self._resident("fill", name)

    @property
    def colorizer(self) -> Colorizer:
        """The first of the models folder. Raises OptionsError if there is none."""
        found = next((row.name for row in rows("colorize")), "")
        return self._resident("colorize", found)

    def _resident(self, kind: Kind, name: str) -> Any:
        model = next((row for row in rows(kind) if row.name == name), None)
        if model is None:
            raise OptionsError("There is no {kind} called {name!r}.", kind=kind, name=name)
        if model not in self._loaded:
            if isinstance(model.weights, ModelFile):
                self._forget(kind)
            self._loaded[model] = _LOADERS[kind, model.architecture](self, model)
        return self._loaded[model]

    def _forget(self, kind: Kind) -> None:
        """Free the memory of the last model of this kind from the models folder."""
        for model in list(self._loaded):
            if model.kind == kind and isinstance(model.weights, ModelFile):
                del self._loaded[model]
        release()

    @cached_property
    def damage_detector(self) -> DamageDetector:
        """The network that finds scratches and dust."""
        net = DamageNet()
        net.load_state_dict(safetensors.torch.load(DAMAGE.read()))
        return DamageDetector(ResidentNet(net, self.runs_on))

    def described(self, model: ModelSpec) -> Any:
        """A model as spandrel reads it: its descriptor. Raises WeightsError."""
        return read_model(weights_path(model, self._setup.weights))

    @property
    def in_fp32(self) -> Device:
        """The same device, for networks that need full precision."""
        contiguous = torch.contiguous_format
        return replace(self.runs_on, precision="fp32", memory_format=contiguous)

    def filled(self, model: ModelSpec, fill: Callable[[dict[str, Tensor]], T]) -> T:
        """What `fill` makes of the tensors of a model's weights by name, on the CPU.

        Raises WeightsError, also when `fill` raises because they do not fit its network.
        """
        if isinstance(model.weights, PackagedFile):
            state = safetensors.torch.load(model.weights.read())
        else:
            state = load_checkpoint(weights_path(model, self._setup.weights))
        try:
            return fill(state)
        except (LookupError, ValueError, RuntimeError) as error:
            raise WeightsInvalid(
                "The weights of {name} belong to a different network.", name=model.name
            ) from error


def _gfpgan(models: ResidentModels, model: ModelSpec) -> Restorer:
    return FaceNet(ResidentNet(models.filled(model, GFPGAN.from_state), models.runs_on))


def _bundled_face_net(models: ResidentModels, model: ModelSpec) -> Restorer:
    net = FaceRestorationNet()
    models.filled(model, net.load_state_dict)
    return FaceNet(ResidentNet(net, models.runs_on), 0.0)


def _face_net(models: ResidentModels, model: ModelSpec) -> Restorer:
    """RestoreFormer and similar networks, which are built around a codebook."""
    net = models.described(model).model
    # In half precision, distances to the codebook tie, and the wrong codes are chosen.
    return FaceNet(ResidentNet(net, models.in_fp32))


def _x4plus(models: ResidentModels, model: ModelSpec) -> Upscaler:
    return TiledNet(ResidentNet(x4plus_net(), models.runs_on), scale=4, overlap=_OVERLAP)


def _tiled(models: ResidentModels, model: ModelSpec) -> Upscaler:
    """spandrel's network over tiles."""
    found = models.described(model)
    return TiledNet(
        ResidentNet(Described(found), device_for(found, models.runs_on)),
        scale=found.scale,
        overlap=_OVERLAP,
        multiple=lcm(_MULTIPLE, found.size_requirements.multiple_of),
        keeps_colors=found.purpose == "SR",
    )


def _srvgg(models: ResidentModels, model: ModelSpec) -> Upscaler:
    """A small network of Real-ESRGAN, which smooths."""
    found = models.described(model)
    reach = found.model.num_conv + 2  # with the first and the last convolution
    net = ResidentNet(found.model, models.runs_on)
    return TiledNet(net, scale=found.scale, overlap=reach, keeps_detail=True)


def _compact(models: ResidentModels, model: ModelSpec) -> Upscaler:
    net = CompactNet()
    models.filled(model, net.load_state_dict)
    return compact_upscaler(net, models.runs_on)


def compact_upscaler(net: CompactNet, device: Device) -> Upscaler:
    """The bundled network over tiles."""
    return TiledNet(
        ResidentNet(net, device),
        scale=net.scale,
        overlap=net.reach,
        multiple=net.block,
        keeps_detail=True,
        mirrored=net.mirrored,
    )


def _lama(models: ResidentModels, model: ModelSpec) -> Filler:
    return Inpainter(ResidentNet(Described(models.described(model)), models.in_fp32))


def _ddcolor(models: ResidentModels, model: ModelSpec) -> Colorizer:
    return Colorizer(ResidentNet(models.described(model).model, models.in_fp32))


def _retinaface_resnet50(models: ResidentModels, model: ModelSpec) -> Detector:
    prepare()
    from facexlib.detection.retinaface import RetinaFace

    net = RetinaFace(network_name="resnet50", device="cpu")
    models.filled(model, net.load_state_dict)
    return RetinaFaceR50(net, models.runs_on)


def _parsenet(models: ResidentModels, model: ModelSpec) -> Masker:
    prepare()
    from facexlib.parsing.parsenet import ParseNet

    net = ParseNet(in_size=512, out_size=512, parsing_ch=19)
    models.filled(model, net.load_state_dict)
    return ParseNetMasker(ResidentNet(net, models.runs_on))


# The loaders by kind and `ModelSpec.architecture`.
_LOADERS: dict[tuple[Kind, str], Callable[[ResidentModels, ModelSpec], Any]] = {
    ("restorer", "gfpgan"): _gfpgan,
    ("restorer", "spandrel"): _face_net,
    ("restorer", "face"): _bundled_face_net,
    ("background", "interpolation"): lambda *_: interpolated,
    ("background", "x4plus"): _x4plus,
    ("background", "srvgg"): _srvgg,
    ("background", "compact"): _compact,
    ("background", "spandrel"): _tiled,
    ("fill", "telea"): lambda *_: lambda photo, mask, _: replace(photo, rgb=fill(photo.rgb, mask)),
    ("fill", "spandrel"): _lama,
    ("colorize", "spandrel"): _ddcolor,
    ("detector", "retinaface-mobilenet"): lambda *_: RetinaFaceMobileNet(),
    ("detector", "retinaface-resnet50"): _retinaface_resnet50,
    ("masker", "feather"): lambda *_: feathered,
    ("masker", "parsenet"): _parsenet,
}
