"""The GFPGAN network for inference (Wang et al. 2021): a U-Net steering a StyleGAN2 generator.

The same function as `GFPGANv1Clean` in `gfpgan/archs/gfpganv1_clean_arch.py` on top of
`gfpgan/archs/stylegan2_clean_arch.py`, with the stored noise instead of fresh noise, but faster.
Upstream modulates a copy of every kernel for every face; here the features are modulated instead,
so that all faces in a batch share one ordinary convolution. And where upstream enlarges features
before convolving them, here they are convolved first (`DoublingConv`).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2  # of the leaky ReLUs
_GAIN = 2.0**0.5  # upstream multiplies the result of every style convolution by this
_EPSILON = 1e-8  # as upstream; keeps the demodulation finite
_WORTHWHILE = 16  # side in pixels from which the fast path of `DoublingConv` pays


class DoublingConv(nn.Conv2d):
    """(n, inputs, h, w) → (n, outputs, 2h, 2w): bilinear doubling, then a 3×3 convolution.

    Bilinear doubling inserts zeros between the pixels and blurs with (1, 3, 3, 1) / 4 in each
    direction. The blur can just as well come after the convolution, whose input then has three
    zeros in four pixels: a transposed convolution with a quarter of the work. The two orders differ
    only at the border. Other devices take the plain path, because this one was measured on CPUs
    only.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, 1, 1, bias=bias)

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
        self.conv2 = (
            DoublingConv(inputs, outputs) if self.grow else nn.Conv2d(inputs, outputs, 3, 1, 1)
        )
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
        self.conv = (
            DoublingConv(inputs, outputs, bias=False)
            if grow
            else nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        )
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


class Condition(nn.Module):
    """Features (n, features, h, w) → scale or shift for half of the generator's channels."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(features, features, 3, 1, 1)
        self.conv2 = nn.Conv2d(features, features, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv2(F.leaky_relu_(self.conv1(x), _SLOPE))
        return out


class Level(nn.Module):
    """One doubling in the U-Net's decoder, and in the generator that it steers."""

    def __init__(self, inputs: int, outputs: int, style: int, size: int) -> None:
        super().__init__()
        self.up = ResBlock(inputs // 2, outputs // 2, 2)
        self.scale = Condition(outputs // 2)
        self.shift = Condition(outputs // 2)
        self.conv1 = StyleConv(inputs, outputs, style, size, True)
        self.conv2 = StyleConv(outputs, outputs, style, size, False)
        self.to_rgb = ToRGB(outputs, style)

    def forward(
        self, features: Tensor, x: Tensor, rgb: Tensor, styles: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        features = self.up(features)
        x = self.conv1(x, styles[0])
        half = x[:, x.shape[1] // 2 :]  # only these channels are steered
        half.mul_(self.scale(features)).add_(self.shift(features))
        x = self.conv2(x, styles[1])
        return features, x, self.to_rgb(x, styles[2]) + _double(rgb)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _halve(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)


class GFPGAN(nn.Module):
    """RGB (n, 3, s, s) in -1..1, in the network's own precision → the same in float32, not clamped.

    channels: channels of the generator at 4, 8, ... s pixels; the U-Net has half as many.
    """

    def __init__(self, channels: tuple[int, ...], style: int) -> None:
        super().__init__()
        sizes = [4 * 2**i for i in range(len(channels))]
        self.style = style
        self.first = nn.Conv2d(3, channels[-1] // 2, 1)
        self.down = nn.ModuleList(
            ResBlock(a // 2, b // 2, 0.5)
            for a, b in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.last = nn.Conv2d(channels[0] // 2, channels[0] // 2, 3, 1, 1)
        self.to_styles = nn.Linear(channels[0] // 2 * 16, 2 * len(channels) * style)
        self.constant = nn.Parameter(torch.zeros(1, channels[0], 4, 4))
        self.conv = StyleConv(channels[0], channels[0], style, 4, False)
        self.to_rgb = ToRGB(channels[0], style)
        self.levels = nn.ModuleList(
            Level(a, b, style, size)
            for a, b, size in zip(channels, channels[1:], sizes[1:], strict=False)
        )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> GFPGAN:
        """The network with a copy of the weights in a checkpoint's state dict ("params_ema").

        Raises KeyError, IndexError or RuntimeError if they are another network's, or those of a
        GFPGAN built without input_is_latent or different_w.
        """
        decoder = "stylegan_decoder"
        ours = {"constant": state[f"{decoder}.constant_input.weight"]}

        def take(name: str, theirs: str) -> None:
            for kind in ("weight", "bias"):
                if f"{theirs}.{kind}" in state:
                    ours[f"{name}.{kind}"] = state[f"{theirs}.{kind}"]

        def take_block(name: str, theirs: str) -> None:
            for conv in ("conv1", "conv2", "skip"):
                take(f"{name}.{conv}", f"{theirs}.{conv}")

        def take_modulated(name: str, theirs: str) -> Tensor:
            take(f"{name}.modulation.affine", f"{theirs}.modulated_conv.modulation")
            ours[f"{name}.bias"] = state[f"{theirs}.bias"]
            return state[f"{theirs}.modulated_conv.weight"][0]

        def take_rgb(name: str, theirs: str) -> None:
            ours[f"{name}.weight"] = take_modulated(name, theirs)[:, :, 0, 0]

        def take_style_conv(name: str, theirs: str, index: int) -> None:
            weight = ours[f"{name}.conv.weight"] = take_modulated(name, theirs)
            strength = state[f"{theirs}.weight"]
            ours[f"{name}.noise"] = state[f"{decoder}.noises.noise{index}"] * strength
            ours[f"{name}.power"] = weight.square().sum((2, 3)).T

        take("first", "conv_body_first")
        take("last", "final_conv")
        take("to_styles", "final_linear")
        take_style_conv("conv", f"{decoder}.style_conv1", 0)
        take_rgb("to_rgb", f"{decoder}.to_rgb1")
        channels = [ours["constant"].shape[1]]
        while f"conv_body_up.{len(channels) - 1}.skip.weight" in state:
            i = len(channels) - 1
            level = f"levels.{i}"
            take_block(f"down.{i}", f"conv_body_down.{i}")
            take_block(f"{level}.up", f"conv_body_up.{i}")
            for kind in ("scale", "shift"):
                take(f"{level}.{kind}.conv1", f"condition_{kind}.{i}.0")
                take(f"{level}.{kind}.conv2", f"condition_{kind}.{i}.2")
            take_style_conv(f"{level}.conv1", f"{decoder}.style_convs.{2 * i}", 2 * i + 1)
            take_style_conv(f"{level}.conv2", f"{decoder}.style_convs.{2 * i + 1}", 2 * i + 2)
            take_rgb(f"{level}.to_rgb", f"{decoder}.to_rgbs.{i}")
            channels.append(ours[f"{level}.conv1.conv.weight"].shape[0])

        with torch.device("meta"):  # no memory, no random numbers
            net = cls(tuple(channels), ours["conv.modulation.affine.weight"].shape[1])
        net.to_empty(device="cpu").load_state_dict(ours)
        return net.requires_grad_(False).eval()

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[0]
        features = F.leaky_relu_(self.first(x), _SLOPE)
        skips = []
        for down in self.down:
            features = down(features)
            skips.append(features)
        features = F.leaky_relu_(self.last(features), _SLOPE)
        # Flattened in the order channel, row, column, as upstream does.
        styles = self.to_styles(features.flatten(1)).view(n, -1, self.style).unbind(1)

        x = self.conv(self.constant.expand(n, -1, -1, -1), styles[0])
        rgb = self.to_rgb(x, styles[1])
        for i, level in enumerate(self.levels):
            features.add_(skips.pop())
            features, x, rgb = level(features, x, rgb, styles[2 * i + 1 : 2 * i + 4])
        return rgb
