"""The bundled network for whole photos: a chain of convolutions on blocks of pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_FEATURES, _CONVOLUTIONS = 64, 17  # of the chain
_BLOCK = 2  # pixels of one side that become channels
_SHUFFLED = 4  # output pixels of one side, of each block


def chain(inputs: int, features: int, convolutions: int, outputs: int = 0) -> nn.Sequential:
    """3×3 convolutions, each with its activation; the first has `inputs` channels. outputs: the
    channels of another one at the end, without activation; 0 if there is none."""
    layers = nn.Sequential()
    for i in range(convolutions):
        layers.append(nn.Conv2d(features if i else inputs, features, 3, 1, 1))
        layers.append(nn.PReLU(features))
    if outputs:
        layers.append(nn.Conv2d(features, outputs, 3, 1, 1))
    return layers


class CompactNet(nn.Module):
    """RGB (n, 3, h, w) in 0..1 → (n, 3, 2·h, 2·w); not clamped. Height and width must be even.

    Blocks of 2×2 pixels become channels, so that a chain of 3×3 convolutions, as in
    SRVGGNetCompact, is cheap and sees far. It is best at what the photo shows on the whole; two
    further convolutions join it with the single pixels, so that fine detail and noise need not
    travel through the whole chain.
    reach: with so many pixels of context a tile differs from the whole photo by at most one gray
    level; the receptive field extends a little farther. mirrored: so many pixels beyond a photo's
    edges it must see the photo's mirror image, as it never learned what an edge looks like.
    """

    scale = 2
    block = _BLOCK
    reach = 32
    mirrored = 8

    def __init__(self) -> None:
        super().__init__()
        seen, made, features = 3 * _BLOCK**2, 3 * _SHUFFLED**2, _FEATURES
        self.chain = chain(seen, features, _CONVOLUTIONS)
        self.coarse = nn.Conv2d(features, made, 3, 1, 1)
        self.pixels = chain(seen, features, 1)
        self.joined = chain(2 * features, features, 1, made)
        self.skip = nn.Conv2d(seen, made, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        pixels = F.pixel_unshuffle(x, _BLOCK)
        features = self.chain(pixels)
        made = self.joined(torch.cat([features, self.pixels(pixels)], 1))
        return F.pixel_shuffle(made + self.coarse(features) + self.skip(pixels), _SHUFFLED)
