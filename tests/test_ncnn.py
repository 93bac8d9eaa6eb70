import numpy as np
import pytest
import torch
from basicsr.archs.rrdbnet_arch import RRDBNet
from spandrel.architectures.ESRGAN import ESRGAN
from torch import nn

from benchmarks.photos import astronaut
from enhance.errors import WeightsInvalid
from enhance.models.files import X4PLUS_BIN
from enhance.models.ncnn import load_ncnn, x4plus_net


@pytest.fixture(scope="module")
def blob() -> bytes:
    return X4PLUS_BIN.read()


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return x4plus_net().eval()


@pytest.mark.parametrize("missing", [1, 2, 4, 5, 1000, 10**6])
def test_a_truncated_file_is_refused(blob: bytes, missing: int) -> None:
    with pytest.raises(WeightsInvalid):
        load_ncnn(ESRGAN(), blob[:-missing])


@pytest.mark.parametrize("extra", [1, 4, 4096])
def test_surplus_bytes_are_refused(blob: bytes, extra: int) -> None:
    with pytest.raises(WeightsInvalid, match="different network"):
        load_ncnn(ESRGAN(), blob + bytes(extra))


def test_an_unknown_number_format_is_refused(blob: bytes) -> None:
    with pytest.raises(WeightsInvalid):
        load_ncnn(ESRGAN(), (0x1234567).to_bytes(4, "little") + blob[4:])


def test_an_empty_file_is_refused() -> None:
    with pytest.raises(WeightsInvalid):
        load_ncnn(ESRGAN(), b"")


@pytest.mark.parametrize(
    "other", [ESRGAN(num_blocks=22), ESRGAN(num_blocks=24), nn.Conv2d(3, 64, 3)]
)
def test_weights_of_another_net_are_refused(blob: bytes, other: nn.Module) -> None:
    with pytest.raises(WeightsInvalid, match="different network"):
        load_ncnn(other, blob)


def test_the_net_computes_what_upstream_computes(net: nn.Module, blob: bytes) -> None:
    upstream = RRDBNet(3, 3, scale=4, num_feat=64, num_block=23, num_grow_ch=32).eval()
    load_ncnn(upstream, blob)
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
