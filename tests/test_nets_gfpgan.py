"""The GFPGAN network against upstream's own class, with random weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gfpgan.archs.gfpganv1_clean_arch import GFPGANv1Clean
from torch import Tensor, nn

from enhance.networks.gfpgan import GFPGAN, DoublingConv, StyleConv, ToRGB
from enhance.networks.resident import Device


@pytest.fixture(autouse=True)
def _inference() -> Any:
    with torch.inference_mode():
        yield


def _upstream(folder: Path, size: int, narrow: float, style: int) -> Any:
    """Upstream's module, its random weights sent through a checkpoint file.

    Upstream starts with no noise and nearly no steering, so these get values like trained ones.
    """

    def build() -> Any:
        module = GFPGANv1Clean(
            size,
            num_style_feat=style,
            channel_multiplier=2,
            fix_decoder=False,
            num_mlp=1,
            input_is_latent=True,
            different_w=True,
            narrow=narrow,
            sft_half=True,
        )
        return module.requires_grad_(False).eval()

    torch.manual_seed(size)
    module = build()
    decoder = module.stylegan_decoder
    for layer in (decoder.style_conv1, *decoder.style_convs):
        layer.weight.normal_(0, 0.3)
        layer.bias.normal_(0, 0.2)
    for layer in (decoder.to_rgb1, *decoder.to_rgbs):
        layer.bias.normal_(0, 0.1)
        layer.modulated_conv.weight.mul_(0.25)
    for layer in module.condition_scale:
        layer[2].bias.normal_(1, 0.3)
    for layer in module.condition_shift:
        layer[2].bias.normal_(0, 0.3)
    module.final_linear.bias.normal_(0, 1)

    path = folder / "weights.pth"
    torch.save({"params_ema": module.state_dict()}, path)
    loaded = build()
    loaded.load_state_dict(torch.load(path, weights_only=True)["params_ema"], strict=True)
    return loaded


def _reference(module: Any, faces: Tensor) -> Tensor:
    result: Tensor = module(faces, return_rgb=False, randomize_noise=False)[0]
    return result


def _faces(count: int, size: int) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def _settled(net: GFPGAN, precision: str) -> GFPGAN:
    return Device(torch.device("cpu"), precision).settle(net)


def _psnr(a: Tensor, b: Tensor) -> float:
    """Of images in -1..1."""
    return float(10 * torch.log10(4 / (a - b).square().mean()))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, GFPGAN]:
    with torch.inference_mode():
        module = _upstream(tmp_path_factory.mktemp("small"), 64, 1 / 8, 64)
        return module, GFPGAN.from_state(module.state_dict())


@pytest.mark.parametrize(
    ("size", "narrow", "style"), [(32, 1 / 16, 32), (64, 1 / 8, 64), (512, 1, 512)]
)
def test_equals_upstream(tmp_path: Path, size: int, narrow: float, style: int) -> None:
    module = _upstream(tmp_path, size, narrow, style)
    faces = _faces(1, size)
    wanted = _reference(module, faces)
    assert 0.2 < float(wanted.std()) < 2  # neither dead nor exploding: a test worth its name
    got = _settled(GFPGAN.from_state(module.state_dict()), "fp32")(faces)
    assert got.shape == wanted.shape
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-4)


def test_every_part_matters(small: tuple[Any, GFPGAN]) -> None:
    """Face, noise, steering and styles all show in the reference, so parity covers them."""
    module, _ = small
    faces = _faces(1, 64)
    before = _reference(module, faces)
    assert (_reference(module, -faces) - before).abs().max() > 1e-2
    for tensor in (
        module.stylegan_decoder.noises.noise4,
        module.condition_scale[1][2].bias,
        module.condition_shift[1][2].bias,
        module.final_linear.bias,
    ):
        kept = tensor.clone()
        tensor.zero_()
        assert (_reference(module, faces) - before).abs().max() > 1e-2
        tensor.copy_(kept)


def test_a_checkpoint_in_half_precision_is_run_in_the_devices(small: tuple[Any, GFPGAN]) -> None:
    module, ours = small
    halves = {name: tensor.half() for name, tensor in module.state_dict().items()}
    net = GFPGAN.from_state(halves)
    assert {tensor.dtype for tensor in net.state_dict().values()} == {torch.float32}
    faces = _faces(1, 64)
    assert _psnr(net(faces), ours(faces)) > 40


def test_refuses_other_variants(small: tuple[Any, GFPGAN]) -> None:
    module, _ = small
    state = module.state_dict()
    one_style = {"final_linear.weight": state["final_linear.weight"][:64]}  # not different_w
    with pytest.raises(RuntimeError, match="final_linear"):
        GFPGAN.from_state(state | one_style)
    del state["condition_shift.0.2.bias"]
    with pytest.raises((KeyError, RuntimeError), match="shift"):
        GFPGAN.from_state(state)


def test_batch_equals_singles(small: tuple[Any, GFPGAN]) -> None:
    _, ours = small
    faces = _faces(4, 64)
    faces[1] *= 0.01  # faces whose styles differ in scale must not touch each other
    singles = torch.cat([ours(face[None]) for face in faces])
    torch.testing.assert_close(ours(faces), singles, rtol=0, atol=2e-5)


def test_same_every_time(small: tuple[Any, GFPGAN]) -> None:
    _, ours = small
    faces = _faces(2, 64)
    assert torch.equal(ours(faces), ours(faces))


def test_convolutions_are_modules(small: tuple[Any, GFPGAN]) -> None:
    """Work can be stopped through hooks on them, so none may be long without one."""
    _, ours = small
    seen: list[nn.Module] = []
    hooks = [
        m.register_forward_pre_hook(lambda m, _: seen.append(m))
        for m in ours.modules()
        if isinstance(m, nn.Conv2d)
    ]
    ours(_faces(1, 64))
    for hook in hooks:
        hook.remove()
    assert len(seen) == len(hooks) == len(set(seen))


@pytest.mark.parametrize(
    ("precision", "dtype", "least"),
    [("bf16", torch.bfloat16, 44.0), ("fp16", torch.float16, 60.0)],
)
def test_half_precision(
    small: tuple[Any, GFPGAN], precision: str, dtype: torch.dtype, least: float
) -> None:
    module, ours = small
    faces = _faces(2, 64)
    got = _settled(GFPGAN.from_state(module.state_dict()), precision)(faces.to(dtype))
    assert got.dtype == torch.float32
    assert _psnr(got, ours(faces)) > least


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(4, 4), (16, 16), (17, 40)])
def test_convolves_before_doubling(size: tuple[int, int], bias: bool) -> None:
    """The detour equals doubling first, at the border too."""
    torch.manual_seed(0)
    conv = DoublingConv(8, 6, 3, 1, 1, bias=bias).double()
    x = torch.randn(2, 8, *size, dtype=torch.float64)
    big = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
    wanted = nn.functional.conv2d(big, conv.weight, conv.bias, padding=1)
    torch.testing.assert_close(conv(x), wanted, rtol=0, atol=1e-12)
    got = conv.float()(x.float().contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got.double(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_no_style_overflows(dtype: torch.dtype, scale: float) -> None:
    """Styles of any size, a dead kernel among the weights: finite, and equal to float32."""
    torch.manual_seed(0)
    conv, rgb = StyleConv(16, 8, 4, 32, grow=True), ToRGB(16, 4)
    nn.init.normal_(rgb.weight, 0, 0.1)
    conv.noise.normal_()
    conv.conv.weight[3] = 0
    conv.power.copy_(conv.conv.weight.square().sum((2, 3)).T)
    x, style = torch.randn(2, 16, 16, 16), torch.randn(2, 4) * scale
    style[1] *= 0.01

    wanted = _modulated(conv, x.double(), style.double())
    wanted_rgb = _modulated_rgb(rgb, x.double(), style.double())
    got = conv.to(dtype)(x.to(dtype), style)
    got_rgb = rgb.to(dtype)(x.to(dtype), style)

    tolerance = {torch.float32: 1e-4, torch.bfloat16: 0.03, torch.float16: 0.005}[dtype]
    assert torch.isfinite(got).all()
    assert (got.double() - wanted).abs().max() < tolerance * wanted.abs().max()
    assert (got_rgb.double() - wanted_rgb).abs().max() < tolerance * wanted_rgb.abs().max()


def _factors(layer: StyleConv | ToRGB, style: Tensor) -> Tensor:
    affine = layer.modulation.affine
    return style @ affine.weight.double().T + affine.bias.double()


def _modulated(layer: StyleConv, x: Tensor, style: Tensor) -> Tensor:
    """What a growing StyleConv computes, by the formula: one kernel for each face, in float64."""
    results = []
    for face, factors in zip(x, _factors(layer, style), strict=True):
        weight = layer.conv.weight.double() * factors[:, None, None]
        weight = weight * torch.rsqrt(weight.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        big = nn.functional.interpolate(face[None], scale_factor=2.0, mode="bilinear")
        results.append(nn.functional.conv2d(big, weight, padding=1) * 2**0.5)
    out = torch.cat(results) + layer.noise.double() + layer.bias.double()
    return nn.functional.leaky_relu(out, 0.2)


def _modulated_rgb(layer: ToRGB, x: Tensor, style: Tensor) -> Tensor:
    weight = layer.weight.double() * _factors(layer, style)[:, None]
    return torch.einsum("noc,nchw->nohw", weight, x) + layer.bias.double()
