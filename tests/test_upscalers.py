from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.photos import Rgb, astronaut
from enhance.build import ResidentModels
from enhance.errors import Cancelled, OutOfMemory
from enhance.nets.rrdbnet import RRDBNet
from enhance.records import Setup
from enhance.scaling import lanczos
from enhance.tensors import Place, ResidentNet
from enhance.upscalers import Lanczos, TiledNet

PLACE = Place.of(Setup("cpu", "fp32"))


def go() -> None:
    pass


@pytest.fixture
def small_net() -> RRDBNet:
    """The real architecture, small and quick; what it computes does not matter."""
    torch.manual_seed(5)
    return RRDBNet(features=8, blocks=1, growth=4)


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


# Lanczos


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("upscale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", [(20, 31, 3), (20, 31), (1, 1, 3)])
def test_lanczos_enlarges_any_pixels(shape: tuple[int, ...], upscale: int, dtype: type) -> None:
    pixels: Rgb = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    big = Lanczos()(pixels, upscale, 512, go)
    assert big.shape == (shape[0] * upscale, shape[1] * upscale, *shape[2:])
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
        Lanczos()(astronaut(), 2, 512, stop)


# The bundled network


def test_tiles_leave_no_seams(models_fp32: ResidentModels) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    strip = np.ascontiguousarray(astronaut()[95:111, 140:300])
    whole = upscaler(strip, 4, 512, go)
    # Three tiles, of which the outer two do not see the whole strip. What they leave out lies
    # beyond the network's overlap, so the bound holds everywhere, also at the photo's border.
    tiled = upscaler(strip, 4, 64, go)
    assert whole.std() > 20
    assert np.abs(tiled.astype(int) - whole).max() <= 1


def test_smaller_sizes_are_the_large_one_averaged(models_fp32: ResidentModels) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    # Of little contrast: what the network gives beyond black and white is averaged unclipped.
    crop = astronaut()[100:124, 200:236] // 2 + np.uint8(60)
    large = upscaler(crop, 4, 512, go)
    assert large.shape == (96, 144, 3)
    for upscale in (1, 2, 3):
        small = upscaler(crop, upscale, 512, go)
        assert small.shape == (24 * upscale, 36 * upscale, 3)
        assert small.dtype == np.uint8
        expected: Any = cv2.resize(large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - expected).max() <= 1


def test_16_bits_are_enlarged_like_8(models_fp32: ResidentModels) -> None:
    upscaler = models_fp32.upscaler("realesrgan")
    crop = np.ascontiguousarray(astronaut()[100:124, 200:236])
    deep = upscaler(crop.astype(np.uint16) * 257, 4, 512, go)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - upscaler(crop, 4, 512, go)).max() <= 0.51
    assert len(np.unique(deep)) > 256, "more levels than 8 bits have"


# Tiling


@pytest.mark.parametrize("upscale", [1, 2, 3, 4])
@pytest.mark.parametrize("tile", [32, 48])
def test_tiles_join_at_every_size(small_net: RRDBNet, upscale: int, tile: int) -> None:
    # The small net looks at less than 16 pixels around, the overlap covers that.
    upscaler = TiledNet("small", ResidentNet(small_net, PLACE), scale=4, overlap=24)
    photo = np.ascontiguousarray(astronaut()[60:163, 150:247])
    whole, tiled = upscaler(photo, upscale, 512, go), upscaler(photo, upscale, tile, go)
    assert whole.shape == tiled.shape == (103 * upscale, 97 * upscale, 3)
    difference = np.abs(tiled.astype(int) - whole)
    assert difference.max() <= 1


def run_tight(net: nn.Module, pixels: int, tile: int) -> Rgb:
    photo = np.ascontiguousarray(astronaut()[60:190, 150:270])
    upscaler = TiledNet("tight", ResidentNet(Tight(net, pixels), PLACE), scale=4, overlap=8)
    return upscaler(photo, 2, tile, go)


def test_the_tile_is_halved_until_it_fits(small_net: RRDBNet) -> None:
    enough = 10**9
    # 256 and 128 do not fit; 64 does, with 8 pixels of context on each side.
    assert np.array_equal(run_tight(small_net, 80 * 80, 256), run_tight(small_net, enough, 64))


def test_memory_for_the_smallest_tile_suffices(small_net: RRDBNet) -> None:
    assert np.array_equal(run_tight(small_net, 48 * 48, 100), run_tight(small_net, 10**9, 32))


def test_no_memory_at_all_is_an_error_that_says_what_to_do(small_net: RRDBNet) -> None:
    with pytest.raises(OutOfMemory, match="smaller tile or photo"):
        run_tight(small_net, 100, 512)


def test_stopping_takes_effect_before_the_next_convolution(small_net: RRDBNet) -> None:
    calls = 0

    def checkpoint() -> None:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise Cancelled

    upscaler = TiledNet("small", ResidentNet(small_net, PLACE), scale=4, overlap=8)
    with pytest.raises(Cancelled):
        upscaler(astronaut(), 2, 64, checkpoint)
    assert calls == 7
    upscaler(np.ascontiguousarray(astronaut()[:40, :40]), 2, 64, go)
    assert calls == 7, "the next photo asks its own checkpoint"


def test_there_is_a_checkpoint_at_every_convolution(small_net: RRDBNet) -> None:
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    convolutions = sum(isinstance(module, nn.Conv2d) for module in small_net.modules())
    upscaler = TiledNet("small", ResidentNet(small_net, PLACE), scale=4, overlap=8)
    upscaler(np.ascontiguousarray(astronaut()[:70, :40]), 2, 64, count)
    assert calls == 2 * convolutions
