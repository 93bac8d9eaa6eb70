"""Our own networks begin as Real-ESRGAN's."""

import torch
from torch.nn import functional as F

from training.faces import new_net
from training.student import animevideo, new_student


@torch.inference_mode()
def test_the_trained_networks_begin_as_real_esrgans_on_a_shrunk_picture() -> None:
    x = torch.rand(1, 3, 512, 512)
    begin = animevideo()
    assert torch.allclose(new_net()(x), begin(F.avg_pool2d(x, 4)), atol=1e-5)
    x = x[..., :96, :64]
    assert torch.allclose(new_student()(x), begin(F.avg_pool2d(x, 2)), atol=1e-5)
