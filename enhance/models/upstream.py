"""Makes torchvision importable, and with it the packages that import it.

`prepare()` must run before the first import of facexlib or spandrel.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys

import torch

# Kept alive, because the operators disappear with the library object.
_libraries: list[torch.library.Library] = []


def prepare() -> None:
    """Make torchvision importable beside a torch that it was not compiled for.

    Such a torchvision cannot load its extension and fails with "operator torchvision::nms does not
    exist", because it registers shape functions for operators that were never declared. Declaring
    them is enough, as nothing here calls either of them.

    Does nothing where that is not needed; may be called any number of times.
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
