"""Our super-resolution networks are basicsr's, tensor by tensor."""

from __future__ import annotations

import torch

from enhance.networks.rrdbnet import RRDBNet
from enhance.networks.srvgg import SRVGGNetCompact
from enhance.upstream import prepare

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
