from typing import Any

import cv2
import numpy as np
import pytest
import torch
from spandrel.architectures.ESRGAN import ESRGAN
from torch import Tensor, nn

from benchmarks.photos import Rgb, astronaut
from enhance.errors import Cancelled, OutOfMemory
from enhance.networks.resident import Device, ResidentNet
from enhance.options import Setup
from enhance.pipeline.build import ResidentModels
from enhance.upscaling import upscalers
from enhance.upscaling.upscalers import TiledNet, interpolated
from tests.pictures import enlarged, go, lanczos, soft

CPU = Device.of(Setup("cpu", "fp32"))


@pytest.fixture
def small_net() -> ESRGAN:
    """The real architecture, small and quick; what it computes does not matter."""
    torch.manual_seed(5)
    return ESRGAN(num_filters=8, num_blocks=1)


class Tight(nn.Module):
    """A device whose memory holds so many input pixels only."""

    def __init__(self, net: nn.Module, pixels: int) -> None:
        super().__init__()
        self.net = net
        self.pixels = pixels

    def forward(self, batch: Tensor) -> Tensor:
        if batch.shape[-1] * batch.shape[-2] > self.pixels:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        result: Tensor = self.net(batch)
        return result


@pytest.fixture
def own_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the network draws, before its low frequencies are brought back to the photo's."""
    monkeypatch.setattr(upscalers, "keep_low_frequencies", lambda *_: None)


# Lanczos


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("upscale", [0.5, 1, 1.5, 2, 3, 4])
@pytest.mark.parametrize("shape", [(20, 31, 3), (20, 31), (1, 1, 3)])
def test_lanczos_resizes_any_pixels(shape: tuple[int, ...], upscale: float, dtype: type) -> None:
    pixels: Rgb = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    big = enlarged(interpolated, pixels, upscale, 512, go).rgb
    sides = (max(1, round(side * upscale)) for side in shape[:2])
    assert big.shape == (*sides, *shape[2:])
    assert big.dtype == dtype
    assert not np.shares_memory(big, pixels), "faces are pasted into it"
    if upscale == 1:
        assert np.array_equal(big, pixels)


def test_lanczos_leaves_the_picture_in_its_place() -> None:
    photo = np.asarray(cv2.GaussianBlur(astronaut(), (0, 0), 4))
    big = lanczos(photo, 4)
    back = big.reshape(512, 4, 512, 4, 3).mean(axis=(1, 3))
    assert np.abs(back - photo)[8:-8, 8:-8].max() <= 2


def test_lanczos_can_be_stopped() -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        enlarged(interpolated, astronaut(), 2, 512, stop)


# The bundled network


def test_tiles_leave_no_seams(models_fp32: ResidentModels) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    strip = np.ascontiguousarray(astronaut()[95:111, 140:300])
    whole = enlarged(upscaler, strip, 4, 512, go).rgb
    # Three tiles, of which the outer two do not see the whole strip. What they leave out lies
    # beyond the network's overlap, so the bound holds everywhere, also at the photo's border.
    tiled = enlarged(upscaler, strip, 4, 64, go).rgb
    assert whole.std() > 20
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_smaller_sizes_are_the_large_one_averaged(
    models_fp32: ResidentModels, own_colors: None
) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    # Of little contrast: what the network gives beyond black and white is averaged unclipped.
    crop = astronaut()[100:124, 200:236] // 2 + np.uint8(60)
    large = enlarged(upscaler, crop, 4, 512, go).rgb
    assert large.shape == (96, 144, 3)
    for upscale in (1, 2, 3):
        small = enlarged(upscaler, crop, upscale, 512, go).rgb
        assert small.shape == (24 * upscale, 36 * upscale, 3)
        assert small.dtype == np.uint8
        expected: Any = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).max() <= 1


def test_16_bits_are_enlarged_like_8(models_fp32: ResidentModels, own_colors: None) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    crop = np.ascontiguousarray(astronaut()[100:124, 200:236])
    deep = enlarged(upscaler, crop.astype(np.uint16) * 257, 4, 512, go).rgb
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - enlarged(upscaler, crop, 4, 512, go).rgb).max() <= 0.51
    assert len(np.unique(deep)) > 256, "more levels than 8 bits have"


# Tiling


@pytest.mark.parametrize("upscale", [0.4, 1, 1.5, 2, 3, 3.3, 4])
@pytest.mark.parametrize("tile", [32, 48])
def test_tiles_join_at_every_size(small_net: ESRGAN, upscale: float, tile: int) -> None:
    # The small net looks at less than 16 pixels around, the overlap covers that.
    upscaler = TiledNet(ResidentNet(small_net, CPU), scale=4, overlap=24)
    photo = np.ascontiguousarray(astronaut()[60:163, 150:247])
    whole, tiled = (enlarged(upscaler, photo, upscale, size, go).rgb for size in (512, tile))
    assert whole.shape == tiled.shape == (round(103 * upscale), round(97 * upscale), 3)
    difference = np.abs(tiled.astype(int) - whole)
    assert difference.max() <= 1


def run_tight(net: nn.Module, pixels: int, tile: int) -> Rgb:
    photo = np.ascontiguousarray(astronaut()[60:190, 150:270])
    upscaler = TiledNet(ResidentNet(Tight(net, pixels), CPU), scale=4, overlap=8)
    return enlarged(upscaler, photo, 2, tile, go).rgb


@pytest.mark.parametrize("times", [1.5, 2.5, 6, 20])
def test_a_photo_of_any_size_stays_in_its_place(times: float) -> None:
    photo = np.ascontiguousarray(soft(astronaut()[:504, :504], 2)[100:160, 150:231])
    made = enlarged(TiledNet(ResidentNet(Bicubic(), CPU), scale=4, overlap=16), photo, times).rgb
    plain = lanczos(photo, times)
    assert np.abs(made.astype(int) - plain)[8:-8, 8:-8].mean() < 2


class Bicubic(nn.Module):
    """×4, so that what comes out must lie where plain enlargement puts it."""

    def forward(self, batch: Tensor) -> Tensor:
        return nn.functional.interpolate(batch, scale_factor=4.0, mode="bicubic")


def test_a_network_sees_no_more_pixels_than_the_result_has() -> None:
    seen: list[int] = []

    class Watched(Bicubic):
        def forward(self, batch: Tensor) -> Tensor:
            seen.append(batch.shape[-1] * batch.shape[-2])
            return super().forward(batch)

    upscaler = TiledNet(ResidentNet(Watched(), CPU), scale=4, overlap=8)
    small = enlarged(upscaler, astronaut(), 0.25)
    assert small.rgb.shape == (128, 128, 3)
    assert sum(seen) == 128 * 128


def test_the_canvas_of_a_huge_photo_is_not_made_larger_than_need_be() -> None:
    assert upscalers._whole_scale((1000, 500), (2100, 1050)) == 3
    assert upscalers._whole_scale((8000, 8000), (16_800, 16_800)) == 2, "3 would be 576 megapixels"
    assert upscalers._whole_scale((8000, 8000), (16_000, 16_000)) == 2
    assert upscalers._whole_scale((8000, 8000), (8001, 8001)) == 2


def test_the_tile_is_halved_until_it_fits(small_net: ESRGAN) -> None:
    enough = 10**9
    # 256 and 128 do not fit; 64 does, with 8 pixels of context on each side.
    assert np.array_equal(run_tight(small_net, 80 * 80, 256), run_tight(small_net, enough, 64))


def test_memory_for_the_smallest_tile_suffices(small_net: ESRGAN) -> None:
    assert np.array_equal(run_tight(small_net, 48 * 48, 100), run_tight(small_net, 10**9, 32))


def test_no_memory_at_all_is_an_error_that_says_what_to_do(small_net: ESRGAN) -> None:
    with pytest.raises(OutOfMemory, match="smaller tile or photo"):
        run_tight(small_net, 100, 512)


def test_stopping_takes_effect_before_the_next_convolution(small_net: ESRGAN) -> None:
    calls = 0

    def stop_check() -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise Cancelled

    upscaler = TiledNet(ResidentNet(small_net, CPU), scale=4, overlap=8)
    with pytest.raises(Cancelled):
        enlarged(upscaler, astronaut(), 2, 64, stop_check)
    assert calls == 7
    enlarged(upscaler, np.ascontiguousarray(astronaut()[:40, :40]), 2, 64, go)
    assert calls == 7, "the next photo asks its own"


def test_there_is_a_checkpoint_at_every_convolution(small_net: ESRGAN) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    convolutions = sum(isinstance(module, nn.Conv2d) for module in small_net.modules())
    upscaler = TiledNet(ResidentNet(small_net, CPU), scale=4, overlap=8)
    enlarged(upscaler, np.ascontiguousarray(astronaut()[:70, :40]), 2, 64, count)
    assert calls == 2 * convolutions


# The compact network


def test_the_compact_networks_tiles_are_exact(models_fp32: ResidentModels) -> None:
    upscaler = models_fp32.upscaler("compact")
    photo = np.ascontiguousarray(astronaut()[60:163, 150:247])
    whole, tiled = (enlarged(upscaler, photo, 2, tile, go).rgb for tile in (256, 32))
    assert np.abs(whole.astype(int) - tiled).max() <= 1


def test_the_compact_network_draws_edges_as_if_the_photo_went_on(
    models_fp32: ResidentModels,
) -> None:
    """With nothing beyond them they differ by five gray levels, and look like a frame."""
    upscaler, photo = models_fp32.upscaler("compact"), astronaut()[100:420, 100:420]
    part = np.ascontiguousarray(photo[64:-64, 64:-64])
    whole, alone = (enlarged(upscaler, picture, 2, 512, go).rgb for picture in (photo, part))
    differences = np.abs(whole[128:-128, 128:-128].astype(int) - alone)
    differences[8:-8, 8:-8] = 0
    assert differences[differences > 0].mean() < 3.5


def test_the_compact_network_removes_noise_and_keeps_the_picture(
    models_fp32: ResidentModels,
) -> None:
    clean = astronaut()[30:286, 150:406]
    grainy = clean + np.random.default_rng(3).normal(0, 14, clean.shape)
    made = enlarged(
        models_fp32.upscaler("compact"), grainy.clip(0, 255).astype(np.uint8), 1, 512, go
    ).rgb

    def error(picture: Rgb) -> float:
        return float(np.sqrt(np.mean((picture.astype(float) - clean) ** 2)))

    assert error(made) < 0.75 * error(grainy)


@pytest.mark.parametrize("pitch", [2.6, 3.4, 4.7])
def test_the_compact_network_removes_a_print_raster(
    models_fp32: ResidentModels, pitch: float
) -> None:
    down, across = np.mgrid[:240, :240] * (2 * np.pi / pitch)
    raster = 18 * (np.cos(across + 0.3 * down) + np.cos(down - 0.3 * across))
    photo = np.repeat((120 + raster)[..., None], 3, 2).astype(np.uint8)
    made = enlarged(models_fp32.upscaler("compact"), photo, 1, 512, go).rgb
    inside = np.s_[24:-24, 24:-24]
    assert made[inside].astype(float).var() < 0.1 * photo[inside].astype(float).var()


@pytest.mark.parametrize("name", ["compact", "realesrgan"])
@pytest.mark.parametrize("tone", [16, 120, 235])
def test_colors_stay_where_nothing_is(models_fp32: ResidentModels, name: str, tone: int) -> None:
    rng = np.random.default_rng(tone)
    plain = np.full((72, 72, 3), (tone, tone, max(0, tone - 10))) + rng.normal(0, 8, (72, 72, 3))
    photo = plain.clip(0, 255).astype(np.uint8)
    made = enlarged(models_fp32.upscaler(name), photo, 2, 512, go).rgb
    low = [
        cv2.GaussianBlur(cv2.resize(p, (72, 72), interpolation=cv2.INTER_AREA), (0, 0), 8)
        for p in (made, photo)
    ]
    assert np.abs(low[0].astype(float) - low[1]).mean() <= 1.2
