"""Makes gfpgan, basicsr and realesrgan importable, which nothing but comparisons needs."""

import importlib.util
import sys
import types

from enhance.models import checkpoints


def prepare() -> None:
    """Must run before the first import of one of them; may be called any number of times.

    Provides `torchvision.transforms.functional_tensor`, removed in torchvision 0.17 and still
    imported by basicsr 1.4.2.
    """
    checkpoints.prepare()
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules or importlib.util.find_spec(name):
        return
    from torchvision.transforms import functional

    module = types.ModuleType(name)
    module.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[name] = module
