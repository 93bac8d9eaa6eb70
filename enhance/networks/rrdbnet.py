"""RRDBNet, the network of Real-ESRGAN (Wang et al. 2018, 2021), with upstream's parameter names."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2  # of the leaky ReLUs
_RESIDUAL = 0.2  # fraction of a block's result that is added to its input


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, 1, 1)


class ResidualDenseBlock(nn.Module):
    """Five convolutions, each of which sees the results of all previous ones."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.conv1 = _conv(features, growth)
        self.conv2 = _conv(features + growth, growth)
        self.conv3 = _conv(features + 2 * growth, growth)
        self.conv4 = _conv(features + 3 * growth, growth)
        self.conv5 = _conv(features + 4 * growth, features)

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, F.leaky_relu_(conv(seen), _SLOPE)], 1)
        return torch.add(x, self.conv5(seen), alpha=_RESIDUAL)


class RRDB(nn.Module):
    """Three dense blocks with a residual around them."""

    def __init__(self, features: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = ResidualDenseBlock(features, growth)
        self.rdb2 = ResidualDenseBlock(features, growth)
        self.rdb3 = ResidualDenseBlock(features, growth)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.rdb3(self.rdb2(self.rdb1(x))), alpha=_RESIDUAL)


class RRDBNet(nn.Module):
    """RGB (n, 3, h, w) in 0..1 → (n, 3, s·h, s·w), s = `scale`, 1, 2 or 4; not clamped.

    The same function and state-dict keys as `basicsr.archs.rrdbnet_arch.RRDBNet`. At scales 2
    and 1 the network works on blocks of 2×2 and 4×4 pixels: h and w must be multiples of that.
    """

    def __init__(
        self, features: int = 64, blocks: int = 23, growth: int = 32, scale: int = 4
    ) -> None:
        super().__init__()
        self.scale = scale
        self.block = 4 // scale
        self.conv_first = _conv(3 * self.block**2, features)
        self.body = nn.Sequential(*(RRDB(features, growth) for _ in range(blocks)))
        self.conv_body = _conv(features, features)
        self.conv_up1 = _conv(features, features)
        self.conv_up2 = _conv(features, features)
        self.conv_hr = _conv(features, features)
        self.conv_last = _conv(features, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.conv_first(F.pixel_unshuffle(x, self.block) if self.block > 1 else x)
        features = features + self.conv_body(self.body(features))
        for conv in (self.conv_up1, self.conv_up2):
            features = F.leaky_relu_(conv(F.interpolate(features, scale_factor=2.0)), _SLOPE)
        out: Tensor = self.conv_last(F.leaky_relu_(self.conv_hr(features), _SLOPE))
        return out
