"""Makes the upstream packages import beside today's torch and torchvision.

`prepare()` must run before the first import of gfpgan, basicsr or facexlib. Each repair is a
no-op where it is not needed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types

import torch

# Kept alive: the operators are gone when the library object is.
_libraries: list[torch.library.Library] = []


def prepare() -> None:
    """Apply both repairs; safe to call any number of times."""
    _declare_torchvision_operators()
    _restore_functional_tensor()


def _declare_torchvision_operators() -> None:
    """Let torchvision import next to a torch it was not compiled for.

    Such a torchvision cannot load its extension and then stops at
    "operator torchvision::nms does not exist", because it registers shape functions for operators
    that nobody declared. Declaring them suffices: nothing here calls either of the two.
    """
    if "torchvision" in sys.modules or _extension_loads():
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _extension_loads() -> bool:
    """Whether torchvision's compiled part works with this torch (loads it if so)."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # no torchvision, nothing to repair
    if _libraries or hasattr(torch.ops.torchvision, "nms"):
        return True
    for folder in spec.submodule_search_locations:
        extension = importlib.machinery.PathFinder.find_spec("_C", [folder])
        if extension is None or extension.origin is None:
            continue
        try:
            torch.ops.load_library(extension.origin)
            return True
        except OSError:
            return False
    return False


def _restore_functional_tensor() -> None:
    """basicsr 1.4.2 imports `torchvision.transforms.functional_tensor`, gone since 0.17."""
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    from torchvision.transforms import functional

    if importlib.util.find_spec(name) is None:
        module = types.ModuleType(name)
        module.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
        sys.modules[name] = module
