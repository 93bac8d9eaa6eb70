"""Makes torchvision importable, and with it the packages that import it.

`prepare()` must run before the first import of facexlib or spandrel.
"""

from __future__ import annotations

import importlib

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
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:  # whoever needs it will say so
        pass
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _libraries.append(library)
