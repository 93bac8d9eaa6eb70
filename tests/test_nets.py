"""Our super-resolution networks are basicsr's, tensor by tensor."""

from __future__ import annotations

import random

import pytest
import torch
from torch.nn import functional as F

from benchmarks.upstream import prepare
from enhance.networks.rrdbnet import RRDBNet
from enhance.networks.srvgg import SRVGGNetCompact
from training.faces import new_net
from training.student import animevideo, new_student

prepare()

from basicsr.archs import rrdbnet_arch, srvgg_arch  # noqa: E402


@torch.inference_mode()
def test_srvggnetcompact_equals_basicsrs() -> None:
    torch.manual_seed(0)
    theirs = srvgg_arch.SRVGGNetCompact(num_feat=64, num_conv=32, upscale=4, act_type="prelu")
    ours = SRVGGNetCompact()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.rand(2, 3, 20, 31)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


@torch.inference_mode()
def test_rrdbnet_at_scale_2_equals_basicsrs() -> None:
    torch.manual_seed(0)
    theirs = rrdbnet_arch.RRDBNet(3, 3, scale=2, num_feat=16, num_block=2, num_grow_ch=8)
    ours = RRDBNet(features=16, blocks=2, growth=8, scale=2)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.rand(2, 3, 20, 32)
    assert torch.allclose(ours(x), theirs(x), atol=1e-5)


NETS = [
    SRVGGNetCompact(features=8, convolutions=3, scale=2),
    SRVGGNetCompact(features=4, convolutions=12, scale=4),
]


@pytest.mark.parametrize("net", NETS)
@torch.inference_mode()
def test_a_state_says_how_its_network_is_built(net: SRVGGNetCompact) -> None:
    items = list(net.state_dict().items())
    x = torch.rand(1, 3, 8, 12)
    for seed in range(20):  # safetensors gives them in another order every time
        again = SRVGGNetCompact.from_state(dict(random.Random(seed).sample(items, len(items))))
        assert again.scale == net.scale
        assert torch.equal(again(x), net(x))


@pytest.mark.parametrize("net", NETS)
def test_the_state_of_another_network_is_refused(net: SRVGGNetCompact) -> None:
    with pytest.raises((LookupError, ValueError, RuntimeError)):
        SRVGGNetCompact.from_state(RRDBNet(features=8, blocks=1, growth=4).state_dict())
    state = net.state_dict()
    del state[next(reversed(state))]
    with pytest.raises((LookupError, ValueError, RuntimeError)):
        SRVGGNetCompact.from_state(state)


@torch.inference_mode()
def test_the_trained_networks_begin_as_real_esrgans_on_a_shrunk_picture() -> None:
    x = torch.rand(1, 3, 512, 512)
    begin = animevideo()
    assert torch.allclose(new_net()(x), begin(F.avg_pool2d(x, 4)), atol=1e-5)
    x = x[..., :96, :64]
    assert torch.allclose(new_student()(x), begin(F.avg_pool2d(x, 2)), atol=1e-5)
