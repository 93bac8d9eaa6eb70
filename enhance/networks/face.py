"""The bundled face network: a chain of convolutions that also looks at the whole face."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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

    def __init__(
        self, features: int = 64, convolutions: int = 16, coarse: int = 192, blocks: int = 5
    ) -> None:
        super().__init__()
        pixels = 3 * _SHUFFLE**2
        half = convolutions // 2

        def chain(count: int) -> list[nn.Module]:
            return [
                layer
                for _ in range(count)
                for layer in (nn.Conv2d(features, features, 3, 1, 1), nn.PReLU(features))
            ]

        self.head = nn.Sequential(
            nn.Conv2d(pixels, features, 3, 1, 1), nn.PReLU(features), *chain(half)
        )
        self.down = nn.Conv2d(features, coarse, _COARSE, _COARSE)
        self.position = nn.Parameter(torch.zeros(1, coarse, _EDGE, _EDGE))
        self.coarse = nn.Sequential(*(_Residual(coarse) for _ in range(blocks)))
        self.up = nn.Conv2d(coarse, features, 1)
        self.tail = nn.Sequential(*chain(convolutions - half), nn.Conv2d(features, pixels, 3, 1, 1))
        self.skip = nn.Conv2d(pixels, pixels, 1)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> FaceRestorationNet:
        """The network for a state dict, with its weights.

        Raises LookupError, ValueError or RuntimeError if the state dict is another network's.
        """
        coarse, features = state["down.weight"].shape[:2]
        blocks = len({name.split(".")[1] for name in state if name.startswith("coarse.")})
        convolutions = sum(
            name.startswith(("head.", "tail.")) and value.ndim == 4 for name, value in state.items()
        )
        net = cls(features, convolutions - 2, coarse, blocks)
        net.load_state_dict(state)
        return net

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
            nn.Conv2d(features, features, 3, 1, 1),
            nn.PReLU(features),
            nn.Conv2d(features, features, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
