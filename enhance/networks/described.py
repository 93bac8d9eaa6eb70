"""Runs networks that spandrel describes, and replaces some with our own, which are faster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from enhance.models.ncnn import load_convolutions
from enhance.networks.resident import Device
from enhance.networks.rrdbnet import RRDBNet

if TYPE_CHECKING:
    from enhance.models.foreign import Descriptor, Masked


class Described(nn.Module):
    """spandrel's network with the padding that it needs: RGB (n, 3, h, w) → (n, 3, s·h, s·w), all
    in 0..1, of any height and width."""

    def __init__(self, found: Descriptor) -> None:
        super().__init__()
        self.net = found.model
        self._found = found

    def forward(self, x: Tensor) -> Tensor:
        # Some networks create further tensors, such as masks, in fp32; autocast makes them match.
        with torch.autocast(x.device.type, x.dtype, enabled=x.dtype != torch.float32):
            out: Tensor = self._found(x)
        return out


class Masking(nn.Module):
    """spandrel's network for inpainting: RGB and mask (1, 4, h, w) → RGB (1, 3, h, w), in 0..1."""

    def __init__(self, found: Masked) -> None:
        super().__init__()
        self.net = found.model
        self._found = found

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self._found(x[:, :3], x[:, 3:])
        return out


def device_for(found: Descriptor, device: Device) -> Device:
    """The same device, in fp32 if that is all the network is known to work in."""
    can = {"fp32": True, "fp16": found.supports_half, "bf16": found.supports_bfloat16}
    precision = device.precision if can[device.precision] else "fp32"
    return replace(device, precision=precision, memory_format=torch.contiguous_format)


def rrdbnet_of(found: Descriptor) -> RRDBNet | None:
    """Our network with the weights of an ESRGAN, or None for variants that it does not cover."""
    built = found.model.hyperparameters
    if built["plus"] or found.scale * (built["shuffle_factor"] or 1) != 4:
        return None
    net = RRDBNet(built["num_filters"], built["num_blocks"], scale=found.scale)
    theirs = (m for m in found.model.modules() if isinstance(m, nn.Conv2d))
    pairs = [(m.weight, m.bias) for m in theirs if m.bias is not None]
    load_convolutions(net, pairs)  # both in the order of use
    return net
