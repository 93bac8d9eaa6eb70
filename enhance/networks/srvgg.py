"""SRVGGNetCompact, the small network of Real-ESRGAN's general models (Wang et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F


def chain(inputs: int, features: int, convolutions: int) -> list[nn.Module]:
    """3×3 convolutions, each with its activation; the first has `inputs` channels."""
    layers: list[nn.Module] = []
    for i in range(convolutions):
        layers.append(nn.Conv2d(features if i else inputs, features, 3, 1, 1))
        layers.append(nn.PReLU(features))
    return layers


class SRVGGNetCompact(nn.Module):
    """RGB (n, 3, h, w) in 0..1 → (n, 3, s·h, s·w), s = `scale`; not clamped.

    The same function and state-dict keys as `basicsr.archs.srvgg_arch.SRVGGNetCompact` with
    act_type="prelu". reach: how many pixels the receptive field extends in each direction.
    mirrored: see `CompactNet`; this one knows edges.
    """

    block = 1
    mirrored = 0

    def __init__(self, features: int = 64, convolutions: int = 32, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        self.reach = convolutions + 2
        last = nn.Conv2d(features, 3 * scale * scale, 3, 1, 1)
        self.body = nn.Sequential(*chain(3, features, convolutions + 1), last)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> SRVGGNetCompact:
        """The network for a state dict, with its weights.

        Raises LookupError, ValueError or RuntimeError if the state dict is another network's.
        """
        last = max(int(name.split(".")[1]) for name in state)  # a file may have them in any order
        features = state["body.0.weight"].shape[0]
        scale = math.isqrt(state[f"body.{last}.weight"].shape[0] // 3)
        net = cls(features, convolutions=last // 2 - 1, scale=scale)
        net.load_state_dict(state)
        return net

    def forward(self, x: Tensor) -> Tensor:
        detail = F.pixel_shuffle(self.body(x), self.scale)
        return detail.add_(F.interpolate(x, scale_factor=float(self.scale)))
