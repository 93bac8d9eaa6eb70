"""DamageNet: which pixels of a photo are scratched, torn or under dust."""

from torch import Tensor, nn
from torch.nn import functional as F

_CHANNELS = 24, 48, 64  # at half the photo's size, at a quarter, and below


class DamageNet(nn.Module):
    """RGB (n, 3, h, w) in 0..1, h and w multiples of 16 → logits (n, 1, h, w).

    A small U-Net without normalization, so that a pixel's logit depends on nothing but its
    surroundings: `REACH` pixels in each direction. Each 2×2 pixels of the photo enter, and of the
    mask leave, as channels of one, which quarters the cost and still tells neighboring pixels
    apart.
    """

    MULTIPLE = 16
    REACH = 96

    def __init__(self) -> None:
        super().__init__()
        half, quarter, rest = _CHANNELS
        self.enter = nn.Sequential(_conv(12, half), _conv(half, half))
        self.down = nn.ModuleList(
            [
                nn.Sequential(_conv(half, quarter, 2), _conv(quarter, quarter)),
                nn.Sequential(_conv(quarter, rest, 2), _conv(rest, rest)),
                nn.Sequential(_conv(rest, rest, 2), _conv(rest, rest), _conv(rest, rest)),
            ]
        )
        # Upwards from the coarsest level: narrowed to the next level's channels and added to it.
        self.narrow = nn.ModuleList(
            [nn.Conv2d(rest, rest, 1), nn.Conv2d(rest, quarter, 1), nn.Conv2d(quarter, half, 1)]
        )
        self.up = nn.ModuleList([_conv(rest, rest), _conv(quarter, quarter), _conv(half, half)])
        self.leave = nn.Conv2d(half, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(F.pixel_unshuffle(x - 0.5, 2))
        levels = [x]
        for stage in self.down:
            levels.append(stage(levels[-1]))
        x = levels.pop()
        for narrow, stage in zip(self.narrow, self.up, strict=True):
            x = stage(F.interpolate(narrow(x), scale_factor=2.0) + levels.pop())
        return F.pixel_shuffle(self.leave(x), 2)


def _conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.LeakyReLU(0.1))
