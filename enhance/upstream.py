"""Makes the upstream packages importable with current versions of torch and torchvision.

`prepare()` must run before the first import of gfpgan, basicsr or facexlib. Each repair does
nothing where it is not needed.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types

import torch

# Kept alive, because the operators disappear with the library object.
_libraries: list[torch.library.Library] = []


def prepare() -> None:
    """Apply both repairs. May be called any number of times."""
    _declare_torchvision_operators()
    _restore_functional_tensor()


def _declare_torchvision_operators() -> None:
    """Make torchvision importable beside a torch that it was not compiled for.

    Such a torchvision cannot load its extension and fails with "operator torchvision::nms does not
    exist", because it registers shape functions for operators that were never declared. Declaring
    them is enough, as nothing here calls either of them.
    """
    if "torchvision" in sys.modules or _extension_loads():
        return
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _extension_loads() -> bool:
    """Whether torchvision's extension works with this torch (loads it if so)."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or not spec.submodule_search_locations:
        return True  # without torchvision there is nothing to repair
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
    """Provide `torchvision.transforms.functional_tensor`, removed in torchvision 0.17 and still
    imported by basicsr 1.4.2."""
    name = "torchvision.transforms.functional_tensor"
    if name in sys.modules or importlib.util.find_spec("torchvision") is None:
        return
    from torchvision.transforms import functional

    if importlib.util.find_spec(name) is None:
        module = types.ModuleType(name)
        module.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
        sys.modules[name] = module
