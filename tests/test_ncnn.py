from __future__ import annotations

import numpy as np
import pytest
import torch
from basicsr.archs.rrdbnet_arch import RRDBNet
from spandrel.architectures.ESRGAN import ESRGAN
from torch import nn

from benchmarks.photos import astronaut
from enhance.errors import WeightsInvalid
from enhance.models.files import X4PLUS_BIN, X4PLUS_PARAM
from enhance.models.ncnn import load_convolutions, read_convolutions, x4plus_net

# 23 blocks of 15 convolutions, and 6 around them
CONVOLUTIONS = 23 * 15 + 6


@pytest.fixture(scope="module")
def param() -> str:
    return X4PLUS_PARAM.read().decode()


@pytest.fixture(scope="module")
def blob() -> bytes:
    return X4PLUS_BIN.read()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return x4plus_net().eval()


def test_the_bundled_files_are_read_to_the_last_byte(param: str, blob: bytes) -> None:
    found = read_convolutions(param, blob)
    assert len(found) == CONVOLUTIONS
    for weight, bias in found:
        assert weight.dtype == bias.dtype == torch.float32
        assert weight.shape[0] == bias.shape[0]
        assert weight.isfinite().all()
        assert bias.isfinite().all()


@pytest.mark.parametrize("missing", [1, 2, 4, 5, 1000, 10**6])
def test_a_truncated_file_is_refused(param: str, blob: bytes, missing: int) -> None:
    with pytest.raises(WeightsInvalid):
        read_convolutions(param, blob[:-missing])


@pytest.mark.parametrize("extra", [1, 4, 4096])
def test_surplus_bytes_are_refused(param: str, blob: bytes, extra: int) -> None:
    with pytest.raises(WeightsInvalid, match=f"{extra} bytes too long"):
        read_convolutions(param, blob + bytes(extra))


def test_an_empty_file_is_refused(param: str) -> None:
    with pytest.raises(WeightsInvalid):
        read_convolutions(param, b"")


def test_an_unknown_number_format_is_refused(param: str, blob: bytes) -> None:
    with pytest.raises(WeightsInvalid, match="0x1234567"):
        read_convolutions(param, (0x1234567).to_bytes(4, "little") + blob[4:])


@pytest.mark.parametrize(
    "other", [ESRGAN(num_blocks=22), ESRGAN(num_filters=48, num_blocks=2), nn.Conv2d(3, 64, 3)]
)
def test_weights_of_another_net_are_refused(param: str, blob: bytes, other: nn.Module) -> None:
    with pytest.raises(WeightsInvalid, match="different network"):
        load_convolutions(other, read_convolutions(param, blob))


def test_the_net_computes_what_upstream_computes(net: nn.Module, param: str, blob: bytes) -> None:
    upstream = RRDBNet(3, 3, scale=4, num_feat=64, num_block=23, num_grow_ch=32).eval()
    load_convolutions(upstream, read_convolutions(param, blob))
    crop = astronaut()[90:122, 200:232].astype(np.float32) / 255
    batch = torch.from_numpy(crop).permute(2, 0, 1)[None]
    with torch.inference_mode():
        ours, theirs = net(batch), upstream(batch)
    assert ours.shape == (1, 3, 128, 128)
    assert ours.std() > 0.05, "a flat picture would prove nothing"
    assert (ours - theirs).abs().max() <= 1e-5


def test_the_net_enlarges_the_picture_it_is_given(net: nn.Module) -> None:
    crop = astronaut()[90:122, 200:232].astype(np.float32) / 255
    with torch.inference_mode():
        big = net(torch.from_numpy(crop).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    back = big.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(back - crop).mean() < 0.02
