"""Runs networks that spandrel describes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from enhance.networks.resident import Device

if TYPE_CHECKING:
    from enhance.models.foreign import Descriptor, Masked


class Described(nn.Module):
    """spandrel's network with the padding that it needs: RGB (n, 3, h, w) → (n, 3, s·h, s·w), all
    in 0..1, of any height and width. One for inpainting takes the mask as a fourth channel."""

    def __init__(self, found: Descriptor | Masked) -> None:
        super().__init__()
        self.net = found.model
        self._found = found

    def forward(self, x: Tensor) -> Tensor:
        # Some networks create further tensors, such as masks, in fp32; autocast makes them match.
        with torch.autocast(x.device.type, x.dtype, enabled=x.dtype != torch.float32):
            out: Tensor = self._found(*x.split(3, 1))
        return out


def device_for(found: Descriptor, device: Device) -> Device:
    """The same device, in fp32 if that is all the network is known to work in. Only ESRGANs are
    known to be faster channels-last."""
    can = {"fp32": True, "fp16": found.supports_half, "bf16": found.supports_bfloat16}
    precision = device.precision if can[device.precision] else "fp32"
    if found.architecture.id == "ESRGAN":
        return replace(device, precision=precision)
    return replace(device, precision=precision, memory_format=torch.contiguous_format)
