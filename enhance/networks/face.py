"""The bundled face network: a chain of convolutions that also looks at the whole face."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from enhance.networks.compact import chain

_FEATURES, _HALF = 64, 8  # of the chain: convolutions on each side of the coarse branch
_WIDE, _BLOCKS = 192, 5  # features and blocks of the coarse branch
_SHUFFLE = 4  # pixels of one side that become channels; the chain works on a quarter of the size
_COARSE = 4  # the coarse branch works on a quarter of that
_EDGE = 512 // _SHUFFLE // _COARSE  # pixels of the coarse branch
_FINE, _FINE_FEATURES = 2, 48  # the fine stage works on half of the size


class FaceRestorationNet(nn.Module):
    """Aligned faces (n, 3, 512, 512) in 0..1 → the same, restored; not clamped.

    Pixels become channels (4×4 of them), so that a chain of 3×3 convolutions sees far and is
    cheap, as in SRVGGNetCompact, whose weights it can begin with. In the middle of the chain a
    coarse branch adds what belongs to the whole face: it works on 32×32 pixels and knows, by a
    learned map, where on the aligned face each of them lies. The chain makes 4×4 pixels at a time,
    whose borders would show; a fine stage goes over them at 256×256, beside what the photo has.
    """

    def __init__(self) -> None:
        super().__init__()
        pixels, features = 3 * _SHUFFLE**2, _FEATURES
        self.head = chain(pixels, features, _HALF + 1)
        self.down = nn.Conv2d(features, _WIDE, _COARSE, _COARSE)
        self.position = nn.Parameter(torch.zeros(1, _WIDE, _EDGE, _EDGE))
        self.coarse = nn.Sequential(*(_Residual(_WIDE) for _ in range(_BLOCKS)))
        self.up = nn.Conv2d(_WIDE, features, 1)
        self.tail = chain(features, features, _HALF, pixels)
        self.skip = nn.Conv2d(pixels, pixels, 1)
        own = 3 * _FINE**2
        self.fine = chain(2 * own + features // _FINE**2, _FINE_FEATURES, 3, own)

    def forward(self, x: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(x, _SHUFFLE)
        features = self.head(pixels)
        coarse = self.up(self.coarse(self.down(features) + self.position))
        features = features + F.interpolate(
            coarse, scale_factor=float(_COARSE), mode="bilinear", align_corners=False
        )
        features = self.tail[:-1](features)
        draft = x + F.pixel_shuffle(self.tail[-1](features) + self.skip(pixels), _SHUFFLE)
        known = [F.pixel_unshuffle(picture, _FINE) for picture in (x, draft)]
        joined = torch.cat([*known, F.pixel_shuffle(features, _FINE)], 1)
        return draft + F.pixel_shuffle(self.fine(joined), _FINE)


class _Residual(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = chain(features, features, 1, features)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
