"""Critics that tell true faces from restored ones."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Rows and columns of an aligned face's parts.
_PARTS = {
    "face": (slice(0, 512), slice(0, 512)),
    "left eye": (slice(192, 288), slice(128, 256)),
    "right eye": (slice(192, 288), slice(256, 384)),
    "mouth": (slice(320, 432), slice(176, 336)),
}


class Critic(nn.Module):
    """RGB (n, 3, h, w) → scores (n, 1, …), and the features that they come from.

    Sees a picture and, beside it, its fine detail alone. Spectrally normalized (Miyato et al.
    2018).
    """

    def __init__(self, features: int, depth: int) -> None:
        super().__init__()
        widths = [6, *(min(features << i, 4 * features) for i in range(depth))]
        self.layers = nn.ModuleList(
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1))
            for inputs, outputs in pairwise(widths)
        )
        self.last = nn.Conv2d(widths[-1], 1, 3, 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        detail = x - F.avg_pool2d(x, 5, 1, 2, count_include_pad=False)
        x = torch.cat([x - 0.5, 8 * detail], 1)
        features: list[Tensor] = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.last(x), features


def new_critics() -> nn.ModuleDict:
    """One for the whole face, one for both eyes, one for the mouth."""
    return nn.ModuleDict({"face": Critic(32, 5), "eyes": Critic(32, 4), "mouth": Critic(32, 4)})


def parts_of(faces: Tensor, critic: str) -> Tensor:
    """What of aligned faces (n, 3, 512, 512) a critic judges; the right eye is mirrored."""

    def cut(name: str) -> Tensor:
        rows, columns = _PARTS[name]
        return faces[..., rows, columns]

    if critic == "eyes":
        return torch.cat([cut("left eye"), cut("right eye").flip(-1)])
    return cut(critic)
