"""Checkpoints read without running any code that they might carry."""

import importlib
import zipfile
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from enhance.errors import WeightsInvalid, WeightsMissing

# In RestoreFormer's own checkpoints, beside networks that are needed for training only.
_RESTOREFORMER = "vqvae."
# Kept alive, because the operators disappear with the library object.
_libraries: list[torch.library.Library] = []


def load_checkpoint(path: Path) -> dict[str, Tensor]:
    """The named tensors of the checkpoint at `path`, on the CPU, without whatever the training
    wrapped around them.

    Tensors of files in PyTorch's zip format stay on disk until they are used, so `path` must not
    be rewritten in place meanwhile.

    Raises WeightsMissing when the file cannot be read, WeightsInvalid when it is not a checkpoint
    or holds anything but tensors and plain data.
    """
    prepare()
    from spandrel import canonicalize_state_dict

    try:
        path.open("rb").close()
    except OSError as error:
        raise WeightsMissing(
            "The weight file {file} could not be read: {reason}.",
            file=path.name,
            reason=error.strerror or str(error),
        ) from error
    try:
        if path.suffix == ".safetensors":
            content = safetensors.torch.load_file(path)
        else:
            mapped = zipfile.is_zipfile(path)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        if isinstance(content, dict):
            content = canonicalize_state_dict(content)
    except Exception as error:  # foreign bytes make the unpickler raise almost anything
        raise WeightsInvalid(
            "{file} is not a weight file, is damaged, or contains code, which is never run.",
            file=path.name,
        ) from error
    found = content if isinstance(content, dict) else {}
    if inner := {name for name in found if name.startswith(_RESTOREFORMER)}:
        found = {name.removeprefix(_RESTOREFORMER): found[name] for name in inner}
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise WeightsInvalid("{file} contains no weights.", file=path.name)
    return found


def prepare() -> None:
    """Make torchvision importable beside a torch that it was not compiled for; must run before the
    first import of facexlib or spandrel, which import it.

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
