"""The bundled face network: a chain of convolutions that also looks at the whole face."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance.networks.srvgg import chain

_FEATURES, _HALF = 64, 8  # of the chain: convolutions on each side of the coarse branch
_WIDE, _BLOCKS = 192, 5  # features and blocks of the coarse branch
_SHUFFLE = 4  # pixels of one side that become channels; the chain works on a quarter of the size
_COARSE = 4  # the coarse branch works on a quarter of that
_EDGE = 512 // _SHUFFLE // _COARSE  # pixels of the coarse branch


class FaceRestorationNet(nn.Module):
    """Aligned faces (n, 3, 512, 512) in 0..1 → the same, restored; not clamped.

    Pixels become channels (4×4 of them), so that a chain of 3×3 convolutions sees far and is
    cheap, as in SRVGGNetCompact, whose weights it can begin with. In the middle of the chain a
    coarse branch adds what belongs to the whole face: it works on 32×32 pixels and knows, by a
    learned map, where on the aligned face each of them lies.
    """

    def __init__(self) -> None:
        super().__init__()
        pixels, features = 3 * _SHUFFLE**2, _FEATURES
        self.head = nn.Sequential(*chain(pixels, features, _HALF + 1))
        self.down = nn.Conv2d(features, _WIDE, _COARSE, _COARSE)
        self.position = nn.Parameter(torch.zeros(1, _WIDE, _EDGE, _EDGE))
        self.coarse = nn.Sequential(*(_Residual(_WIDE) for _ in range(_BLOCKS)))
        self.up = nn.Conv2d(_WIDE, features, 1)
        last = nn.Conv2d(features, pixels, 3, 1, 1)
        self.tail = nn.Sequential(*chain(features, features, _HALF), last)
        self.skip = nn.Conv2d(pixels, pixels, 1)

    def forward(self, x: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(x, _SHUFFLE)
        features = self.head(pixels)
        coarse = self.up(self.coarse(self.down(features) + self.position))
        features = features + F.interpolate(
            coarse, scale_factor=float(_COARSE), mode="bilinear", align_corners=False
        )
        return x + F.pixel_shuffle(self.tail(features) + self.skip(pixels), _SHUFFLE)


class _Residual(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *chain(features, features, 1), nn.Conv2d(features, features, 3, 1, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
