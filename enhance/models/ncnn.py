"""Reads convolution weights from a pair of ncnn files, `.param` and `.bin`.

The `.param` text lists the layers; the `.bin` holds, for each Convolution in that order, a 4-byte
tag (0x01306B47: fp16 follows; 0: fp32), the weights padded to 4 bytes, then the fp32 bias.
(Format: ncnn's wiki, "param and model file structure".)
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from enhance.errors import WeightsInvalid
from enhance.i18n import say
from enhance.models.checkpoints import prepare
from enhance.models.files import X4PLUS_BIN, X4PLUS_PARAM

_FP16 = 0x01306B47
_FP32 = 0


def x4plus_net() -> nn.Module:
    """Real-ESRGAN ×4 plus: RGB (n, 3, h, w) in 0..1 → (n, 3, 4·h, 4·w), not clamped."""
    prepare()
    from spandrel.architectures.ESRGAN import ESRGAN

    net = ESRGAN()
    load_convolutions(net, read_convolutions(X4PLUS_PARAM.read().decode(), X4PLUS_BIN.read()))
    return net


def read_convolutions(param: str, blob: bytes) -> list[tuple[Tensor, Tensor]]:
    """(weight, bias) of every convolution in file order, float32; weight (out, in, k, k).

    Raises WeightsInvalid if the two files do not match exactly.
    """
    found = []
    at = 0

    def take(count: int, dtype: str) -> Tensor:
        nonlocal at
        values = np.frombuffer(blob, dtype, count, at).astype(np.float32)
        at += -(-values.size * np.dtype(dtype).itemsize // 4) * 4
        return torch.from_numpy(values)

    try:
        for layer in (line.split() for line in param.splitlines()[2:]):
            if not layer or layer[0] != "Convolution":
                continue
            inputs, outputs = int(layer[2]), int(layer[3])
            keys = dict(pair.split("=") for pair in layer[4 + inputs + outputs :])
            channels, kernel, count = int(keys["0"]), int(keys["1"]), int(keys["6"])
            tag = int.from_bytes(blob[at : at + 4], "little")
            at += 4
            if tag not in (_FP16, _FP32):
                raise ValueError(f"unknown weight tag {tag:#x}")
            weight = take(count, "<f2" if tag == _FP16 else "<f4")
            found.append((weight.reshape(channels, -1, kernel, kernel), take(channels, "<f4")))
    except (ValueError, KeyError, IndexError, RuntimeError) as error:
        raise WeightsInvalid(
            say("The ncnn weights cannot be read: {reason}.", reason=str(error))
        ) from error
    if at != len(blob):
        raise WeightsInvalid(
            say("The ncnn weights are {count} bytes too long.", count=len(blob) - at)
        )
    return found


def load_convolutions(net: nn.Module, convolutions: list[tuple[Tensor, Tensor]]) -> None:
    """Copy the convolutions into the net's Conv2d modules, in order.

    Raises WeightsInvalid if their number or shapes differ.
    """
    modules = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    shapes = [tuple(m.weight.shape) for m in modules]
    if shapes != [tuple(weight.shape) for weight, _ in convolutions]:
        raise WeightsInvalid(say("The ncnn weights belong to a different network."))
    with torch.no_grad():
        for module, (weight, bias) in zip(modules, convolutions, strict=True):
            module.weight.copy_(weight)
            assert module.bias is not None
            module.bias.copy_(bias)
