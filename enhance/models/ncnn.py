"""Reads the weights of ncnn's `.bin` files into networks of torch.

Such a file holds, for each convolution, a 4-byte tag (0x01306B47: fp16 follows; 0: fp32), the
weights padded to 4 bytes, then the fp32 bias; for each PReLU, its fp32 slopes. (Format: ncnn's
wiki, "param and model file structure".)
"""

import numpy as np
import torch
from torch import Tensor, nn

from enhance.errors import WeightsInvalid
from enhance.models.checkpoints import prepare
from enhance.models.files import X4PLUS_BIN

_TYPES = {(0x01306B47).to_bytes(4, "little"): "<f2", bytes(4): "<f4"}


def x4plus_net() -> nn.Module:
    """Real-ESRGAN ×4 plus: RGB (n, 3, h, w) in 0..1 → (n, 3, 4·h, 4·w), not clamped."""
    prepare()
    from spandrel.architectures.ESRGAN import ESRGAN

    net = ESRGAN()
    load_ncnn(net, X4PLUS_BIN.read())
    return net


def load_ncnn(net: nn.Module, blob: bytes) -> None:
    """Copy the weights of a `.bin` file into the net's convolutions and PReLUs, in their order.

    Raises WeightsInvalid if the file is longer or shorter than that takes, or has other tags.
    """
    at = 0

    def take(like: Tensor, dtype: str = "<f4") -> Tensor:
        nonlocal at
        values = np.frombuffer(blob, dtype, like.numel(), at).astype(np.float32)
        at += -(-like.numel() * np.dtype(dtype).itemsize // 4) * 4
        return torch.from_numpy(values).reshape(like.shape)

    try:
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is not None
                kind = _TYPES[blob[at : at + 4]]
                at += 4
                weight, bias = take(module.weight, kind), take(module.bias)
                module.load_state_dict({"weight": weight, "bias": bias})
            elif isinstance(module, nn.PReLU):
                module.load_state_dict({"weight": take(module.weight)})
        if at != len(blob):
            raise ValueError("the file goes on")
    except (KeyError, ValueError) as error:
        raise WeightsInvalid("The ncnn weights belong to a different network.") from error
