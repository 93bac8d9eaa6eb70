"""The GFPGAN network for inference (Wang et al. 2021): a U-Net steering a StyleGAN2 generator.

The same function as `GFPGANv1Clean` in `gfpgan/archs/gfpganv1_clean_arch.py` on top of
`gfpgan/archs/stylegan2_clean_arch.py`, with the stored noise instead of fresh noise, but faster.
Upstream modulates a copy of every kernel for every face; here the features are modulated instead,
so that all faces in a batch share one ordinary convolution. And where upstream enlarges features
before convolving them, here they are convolved first (`DoublingConv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2  # of the leaky ReLUs
_GAIN = 2.0**0.5  # upstream multiplies the result of every style convolution by this
_EPSILON = 1e-8  # as upstream; keeps the demodulation finite
_UPSTREAMS = ("conv_body_", "condition_", "final_")  # modules that are the same as upstream's
_WORTHWHILE = 16  # side in pixels from which the fast path of `DoublingConv` pays


class DoublingConv(nn.Conv2d):
    """(n, inputs, h, w) → (n, outputs, 2h, 2w): bilinear doubling, then a 3×3 convolution.

    Bilinear doubling inserts zeros between the pixels and blurs with (1, 3, 3, 1) / 4 in each
    direction. The blur can just as well come after the convolution, whose input then has three
    zeros in four pixels: a transposed convolution with a quarter of the work. The two orders differ
    only at the border. Other devices take the plain path, because this one was measured on CPUs
    only.
    """

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight
        if x.device.type != "cpu" or min(x.shape[2:]) < _WORTHWHILE:
            return F.conv2d(_double(x), weight, self.bias, padding=1)
        padded = F.pad(x, (1, 1, 1, 1), mode="replicate")
        sparse = F.conv_transpose2d(padded, weight.flip(2, 3).transpose(0, 1), None, 2, 1)
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype, device=x.device) / 4
        blur = torch.outer(taps, taps).expand(self.out_channels, 1, 4, 4)
        out = F.conv2d(sparse, blur, self.bias, groups=self.out_channels)
        # Recompute the border from two rows or columns; beyond it, the convolution sees zeros.
        top, bottom = _double(x[:, :, :2])[:, :, :2], _double(x[:, :, -2:])[:, :, -2:]
        left, right = _double(x[..., :2])[..., :2], _double(x[..., -2:])[..., -2:]
        out[:, :, :1] = F.conv2d(top, weight[:, :, 1:], self.bias, padding=(0, 1))
        out[:, :, -1:] = F.conv2d(bottom, weight[:, :, :2], self.bias, padding=(0, 1))
        out[..., :1] = F.conv2d(left, weight[..., 1:], self.bias, padding=(1, 0))
        out[..., -1:] = F.conv2d(right, weight[..., :2], self.bias, padding=(1, 0))
        return out


class ResBlock(nn.Module):
    """(n, inputs, h, w) → (n, outputs, h·scale, w·scale); the skip path has no bias."""

    def __init__(self, inputs: int, outputs: int, scale: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, 1, 1)
        self.grow = scale > 1
        self.conv2 = (DoublingConv if self.grow else nn.Conv2d)(inputs, outputs, 3, 1, 1)
        self.skip = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out = F.leaky_relu_(self.conv1(x), _SLOPE)
        if self.grow:
            # Resampling and a 1×1 convolution commute, so convolve while there are fewer pixels.
            skip = _double(self.skip(x))
        else:
            skip = self.skip(_halve(x))
            out = _halve(out)
        return F.leaky_relu_(self.conv2(out), _SLOPE).add_(skip)


class Modulation(nn.Module):
    """A style vector (n, style) → factors for the input channels, always in float32.

    The factors (n, inputs) are divided by each face's largest one, (n, 1), so that no style can
    overflow in half precision. Returns both.
    """

    def __init__(self, style: int, inputs: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style, inputs)

    def forward(self, style: Tensor) -> tuple[Tensor, Tensor]:
        weight, bias = self.affine.weight.float(), self.affine.bias.float()
        factors = F.linear(style.float(), weight, bias)
        largest = factors.abs().amax(1, keepdim=True).clamp_min(1e-12)
        return factors / largest, largest


class StyleConv(nn.Module):
    """x (n, inputs, h, w), style (n, style) → (n, outputs, h, w), or twice h and w.

    noise: (1, 1, h', w'), already multiplied by the layer's noise strength.
    power: (inputs, outputs), the kernel's squares summed over its height and width.
    """

    noise: Tensor
    power: Tensor

    def __init__(self, inputs: int, outputs: int, style: int, size: int, grow: bool) -> None:
        super().__init__()
        self.modulation = Modulation(style, inputs)
        self.conv = (DoublingConv if grow else nn.Conv2d)(inputs, outputs, 3, 1, 1, bias=False)
        self.bias = nn.Parameter(torch.zeros(1, outputs, 1, 1))
        self.register_buffer("noise", torch.zeros(1, 1, size, size))
        self.register_buffer("power", torch.zeros(inputs, outputs))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        factors, largest = self.modulation(style)
        power = factors.square() @ self.power.float() + _EPSILON / largest.square()
        # If a kernel is nearly zero, the factor may exceed half precision; the product is 0 anyway.
        demodulation = (_GAIN * torch.rsqrt(power)).clamp_max(torch.finfo(x.dtype).max)
        x = x * factors[:, :, None, None].to(x.dtype)
        out: Tensor = self.conv(x)
        # In place, because new memory is slow.
        torch.addcmul(self.bias, out, demodulation[:, :, None, None].to(x.dtype), out=out)
        return F.leaky_relu_(out.add_(self.noise), _SLOPE)


class ToRGB(nn.Module):
    """x (n, inputs, h, w), style (n, style) → (n, 3, h, w) in float32.

    A 1×1 convolution without demodulation, computed as one matrix product per face.
    """

    def __init__(self, inputs: int, style: int) -> None:
        super().__init__()
        self.modulation = Modulation(style, inputs)
        self.weight = nn.Parameter(torch.zeros(3, inputs))
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        factors, largest = self.modulation(style)
        weight = (self.weight * factors[:, None]).to(x.dtype)  # (n, 3, inputs)
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # (n, h·w, inputs), no copy if channels-last
        rgb = (pixels @ weight.mT).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)
        return rgb.float() * largest[:, :, None, None] + self.bias.float()


def _condition(features: int) -> nn.Sequential:
    """Features (n, features, h, w) → scale or shift for half of the generator's channels."""
    return nn.Sequential(
        nn.Conv2d(features, features, 3, 1, 1),
        nn.LeakyReLU(_SLOPE, inplace=True),
        nn.Conv2d(features, features, 3, 1, 1),
    )


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _halve(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


class GFPGAN(nn.Module):
    """RGB (n, 3, s, s) in -1..1, in the network's own precision → the same in float32, not clamped.

    channels: channels of the generator at 4, 8, ... s pixels; the U-Net has half as many. Modules
    that are the same as upstream's have upstream's names.
    """

    def __init__(self, channels: tuple[int, ...], style: int) -> None:
        super().__init__()
        halves = [count // 2 for count in channels]
        steps = [*pairwise(channels)]
        self.style = style
        self.conv_body_first = nn.Conv2d(3, halves[-1], 1)
        self.conv_body_down = nn.ModuleList(
            ResBlock(a, b, 0.5) for a, b in zip(halves[:0:-1], halves[-2::-1], strict=True)
        )
        self.final_conv = nn.Conv2d(halves[0], halves[0], 3, 1, 1)
        self.final_linear = nn.Linear(halves[0] * 16, 2 * len(channels) * style)
        self.conv_body_up = nn.ModuleList(ResBlock(a // 2, b // 2, 2) for a, b in steps)
        self.condition_scale = nn.ModuleList(map(_condition, halves[1:]))
        self.condition_shift = nn.ModuleList(map(_condition, halves[1:]))
        self.constant = nn.Parameter(torch.zeros(1, channels[0], 4, 4))
        self.convs = nn.ModuleList([StyleConv(channels[0], channels[0], style, 4, False)])
        for level, (a, b) in enumerate(steps, 1):
            self.convs.append(StyleConv(a, b, style, 4 * 2**level, True))
            self.convs.append(StyleConv(b, b, style, 4 * 2**level, False))
        self.to_rgbs = nn.ModuleList(ToRGB(count, style) for count in channels)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> GFPGAN:
        """The network with a copy of the weights in a checkpoint's state dict ("params_ema").

        Raises KeyError, IndexError or RuntimeError if they are another network's, or those of a
        GFPGAN built without input_is_latent or different_w.
        """
        decoder = "stylegan_decoder"
        ours = {name: state[name] for name in state if name.startswith(_UPSTREAMS)}
        ours["constant"] = state[f"{decoder}.constant_input.weight"]

        def take_modulated(name: str, theirs: str) -> Tensor:
            for kind in ("weight", "bias"):
                factors = state[f"{theirs}.modulated_conv.modulation.{kind}"]
                ours[f"{name}.modulation.affine.{kind}"] = factors
            ours[f"{name}.bias"] = state[f"{theirs}.bias"]
            return state[f"{theirs}.modulated_conv.weight"][0]

        channels: list[int] = []
        while not channels or f"{decoder}.to_rgbs.{len(channels) - 1}.bias" in state:
            i = len(channels)
            theirs = f"{decoder}.to_rgbs.{i - 1}" if i else f"{decoder}.to_rgb1"
            weight = take_modulated(f"to_rgbs.{i}", theirs)[:, :, 0, 0]
            ours[f"to_rgbs.{i}.weight"] = weight
            channels.append(weight.shape[1])
        for i in range(2 * len(channels) - 1):
            theirs = f"{decoder}.style_convs.{i - 1}" if i else f"{decoder}.style_conv1"
            weight = ours[f"convs.{i}.conv.weight"] = take_modulated(f"convs.{i}", theirs)
            strength = state[f"{theirs}.weight"]
            ours[f"convs.{i}.noise"] = state[f"{decoder}.noises.noise{i}"] * strength
            ours[f"convs.{i}.power"] = weight.square().sum((2, 3)).T

        with torch.device("meta"):  # no memory, no random numbers
            net = cls(tuple(channels), ours["to_rgbs.0.modulation.affine.weight"].shape[1])
        net.to_empty(device="cpu").load_state_dict(ours)
        return net.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        features = F.leaky_relu_(self.conv_body_first(x), _SLOPE)
        skips = []
        for down in self.conv_body_down:
            features = down(features)
            skips.append(features)
        features = F.leaky_relu_(self.final_conv(features), _SLOPE)
        # Flattened in the order channel, row, column, as upstream does.
        styles = self.final_linear(features.flatten(1)).view(n, -1, self.style).unbind(1)

        x = self.convs[0](self.constant.expand(n, -1, -1, -1), styles[0])
        rgb = self.to_rgbs[0](x, styles[1])
        for i, up in enumerate(self.conv_body_up):
            features = up(features.add_(skips.pop()))
            x = self.convs[2 * i + 1](x, styles[2 * i + 1])
            half = x[:, x.shape[1] // 2 :]  # only these channels are steered
            half.mul_(self.condition_scale[i](features)).add_(self.condition_shift[i](features))
            x = self.convs[2 * i + 2](x, styles[2 * i + 2])
            rgb = self.to_rgbs[i + 1](x, styles[2 * i + 3]) + _double(rgb)
        return rgb
